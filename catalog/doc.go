// Package catalog implements every operation on datasets, models, versions,
// aliases, bases, grants and tokens. Each operation is one method of [Catalog]. It
// takes the caller, decides by the policy in force whether the caller may do
// this, writes the decision to the audit log, and then acts.
//
// The command line and the servers are its callers. They translate a request
// into a call, and the result into a response. They contain no rules.
//
// The zero Caller is anonymous: every operation refuses it with
// access.ErrUnauthenticated. A caller without the right is refused with an error
// that wraps access.ErrDenied.
//
// Each decision about a restricted object is one record in the audit log.
// Operations on unrestricted objects are not recorded.
package catalog

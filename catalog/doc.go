// Package catalog has every operation on datasets, models, versions, aliases,
// grants and tokens. Each operation is one method of [Catalog]. It takes the
// caller, decides by the policy in force whether the caller may do this, writes
// the decision to the audit log, and then acts.
//
// The command line and the servers are its callers. They translate what they
// were given into a call and what it returns into an answer. They contain no
// rules.
//
// The zero Caller is nobody: every operation refuses it with
// access.ErrUnauthenticated. A caller without the right is refused with an error
// that wraps access.ErrDenied.
//
// One decision on something that is restricted is one record in the audit log.
// Nothing is recorded where nothing restricts what was asked for.
package catalog

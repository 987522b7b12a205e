// Package access decides who may do what with datasets and with the models that
// were trained on them.
//
// Its terms:
//
//   - A [Principal] is the name of a user, a group or a service. A [Caller] is an
//     authenticated principal that makes a request, with its groups and its
//     purpose.
//   - A [Right] is what a caller may do: LIST, READ, TRAIN and GRANT on datasets;
//     USE, DOWNLOAD and PROMOTE on models.
//   - An [Object] is a dataset or a model to which a right applies, by name.
//   - A [Grant] allows or denies a principal a right on an object.
//   - A [Policy] is all of this at one generation. [Policy.Decide] decides about an
//     object and [Policy.DecideVersion] about a version, which is restricted by
//     everything in its lineage. Both are pure functions and return a [Decision].
//   - A [Store] keeps the rows of the policy, and the end of the audit log.
//   - An [Authority] resolves the groups of callers, decides by the policy in force,
//     and records decisions in the audit log. To decide a [Request] and record the
//     decision is to authorize it.
//   - A [Permission] is the permission of a run, and must remain valid until the run ends.
//
// Unregistered objects are not restricted: a plain folder can be used by the system
// account that can read it, and a model without registered data and without its own
// policy can be used by everybody. Registered objects are closed: a denial takes
// precedence; otherwise the owner has all rights, and others have those granted to
// them.
//
// The policy binds users of tkit. Users who can write the files of a home can
// bypass it; the audit log shows that.
package access

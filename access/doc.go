// Package access decides who may do what with datasets and with the models that
// were trained on them.
//
// Its terms:
//
//   - A [Principal] is the name of a user, a group or a service. A [Caller] is an
//     authenticated principal that asks for something, with its groups and its
//     purpose.
//   - A [Right] is what a caller may do: LIST, READ, TRAIN and GRANT on datasets;
//     USE, DOWNLOAD and PROMOTE on models.
//   - An [Object] is what a right is about: a dataset or a model, by name.
//   - A [Grant] allows or denies a principal a right on an object.
//   - A [Policy] is all of this at one generation. [Policy.Decide] decides about an
//     object and [Policy.DecideVersion] about a version, which everything behind it
//     restricts. Both are pure functions and return a [Decision].
//   - A [Store] keeps the rows of the policy, and the end of the audit log.
//   - An [Authority] resolves the groups of callers, decides by the policy in force,
//     and records decisions in the audit log. To decide a [Request] and record the
//     decision is to authorize it.
//   - A [Permission] is that of a run, and holds until the run ends.
//
// Nothing restricts what nobody registered: a plain folder can be used by the system
// account that can read it, and a model without registered data behind it and
// without a policy of its own can be used by everybody. What is registered is
// closed: a denial wins over everything; otherwise the owner has all rights, and
// others those that they were granted.
//
// The policy binds those who go through tkit. Whoever can write the files of a
// home can do with them as they please; the audit log shows it.
package access

// Package access decides who may do what with datasets and with the models
// that came from them.
//
// Its nouns:
//
//   - A [Principal] is who asks: a user, a group or a service.
//   - A [Right] is what they ask for: LIST, READ, TRAIN and GRANT on datasets;
//     USE, DOWNLOAD and PROMOTE on models.
//   - An [Object] is what they ask it of: a dataset or a model, by name.
//   - A [Grant] allows or denies a principal a right on an object.
//   - A [Policy] is all of that as it stood at one generation, and a pure
//     function of it decides: [Policy.Decide], and for a version, whose
//     restrictions are those of everything behind it, [Policy.DecideVersion].
//   - A [Store] keeps the policy in the home's database.
//   - The [Authority] puts them together: it resolves groups, decides by the
//     policy in force, and writes every decision into the audit log before it
//     tells it.
//
// What nobody registered is governed by nobody: a plain folder is the affair of
// the system account that can read it, and a model without restricted data
// behind it and without a policy of its own may be used by all who reach it.
// What is registered is closed: an explicit deny wins over everything, the
// owner may, who was granted the right may, nobody else.
//
// The policy binds those who go through tkit. Whoever can write the files of a
// home can do as they please with them; the audit log tells of it.
package access

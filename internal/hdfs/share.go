package hdfs

import (
	"iter"

	krb "github.com/jcmturner/gokrb5/v8/client"
)

// The parts shared with package webhdfs: the cluster's configuration, the
// ticket, and listing directories.

// Site returns Hadoop's configuration, the properties of core-site.xml and
// hdfs-site.xml in ConfDir, and the folder's name for errors. It is empty if
// there is no folder.
func (c Config) Site() (properties map[string]string, dir string, err error) {
	return c.load()
}

// SimpleUser returns the user name sent to a cluster without Kerberos.
func (c Config) SimpleUser() (string, error) { return simpleUser(c.User) }

// List iterates over a directory's entries. next fetches the batch after a name
// and reports whether there are more. An error is yielded once, last.
func List(next func(after string) (batch []Info, more bool, err error)) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var last string
		for more := true; more; {
			batch, rest, err := next(last)
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, i := range batch {
				if !yield(i, nil) {
					return
				}
				last = i.Name
			}
			more = rest
		}
	}
}

// A Login holds a Kerberos ticket and keeps it fresh. It is safe for concurrent
// use.
type Login struct{ login *login }

// NewLogin gets the first ticket. A non-empty user must match the ticket's. The
// properties are Site's: they define the mapping of names.
func NewLogin(k Kerberos, user string, properties map[string]string) (_ *Login, err error) {
	k.user = user
	if k.namer, err = newNamer(properties); err != nil {
		return nil, err
	}
	l, err := newLogin(k)
	if err != nil {
		return nil, err
	}
	return &Login{l}, nil
}

// Owner returns the ticket's principal without its realm.
func (l *Login) Owner() string { return l.login.owner }

// User returns the cluster's name for the owner, or the whole principal if no
// rule of the configuration applies.
func (l *Login) User() string { return l.login.user }

// Client returns the ticket for one connection.
func (l *Login) Client() (*krb.Client, error) { return l.login.client() }

// Explain distinguishes an expired ticket that cannot be renewed, which wraps
// ErrLogin, from temporary errors.
func (l *Login) Explain(err error) error { return l.login.explain(err) }

// Forget drops a ticket that a server rejected. The next is a new one.
func (l *Login) Forget() { l.login.forget() }

// Close stops renewing.
func (l *Login) Close() { l.login.close() }

package hdfs

import (
	"iter"

	krb "github.com/jcmturner/gokrb5/v8/client"
)

// What package webhdfs has in common with this one: the cluster's configuration,
// the ticket, and how a directory is listed.

// Site is Hadoop's configuration: the properties of core-site.xml and
// hdfs-site.xml in ConfDir, and the folder's name for errors. Without any
// folder it is empty.
func (c Config) Site() (properties map[string]string, dir string, err error) {
	return c.load()
}

// SimpleUser is whom a cluster without Kerberos is told.
func (c Config) SimpleUser() (string, error) { return simpleUser(c.User) }

// List gives a directory's entries, of which next fetches a batch: those after a
// name, and whether there are more. An error comes once, last.
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

// NewLogin gets the first ticket. A user that is not "" must be the ticket's.
// The properties are Site's: what the cluster calls whom follows from them.
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

// Owner is the ticket's principal without its realm.
func (l *Login) Owner() string { return l.login.owner }

// User is what the cluster calls the owner, or the whole principal where no rule
// of the configuration says it.
func (l *Login) User() string { return l.login.user }

// Client gives the ticket for one connection.
func (l *Login) Client() (*krb.Client, error) { return l.login.client() }

// Explain tells the end of a ticket that cannot be renewed, which wraps
// ErrLogin, from errors that may pass.
func (l *Login) Explain(err error) error { return l.login.explain(err) }

// Forget drops a ticket that a server did not take: the next is a new one.
func (l *Login) Forget() { l.login.forget() }

// Close ends the renewing.
func (l *Login) Close() { l.login.close() }

package hdfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Kerberos says where the ticket comes from. With a Keytab, tickets are made
// and renewed from it for the whole job. Otherwise the credential cache is
// used, and read again when it changes: it must be kept fresh from outside
// (kinit -R, k5start, sssd).
type Kerberos struct {
	Keytab    string // file; empty: KRB5_CLIENT_KTNAME unless Cache is set
	Principal string // NAME@REALM in the keytab; empty: TKIT_PRINCIPAL, else its only principal. Config may supply the realm
	Cache     string // file; empty: KRB5CCNAME, else /tmp/krb5cc_UID
	Config    string // krb5.conf; empty: KRB5_CONFIG, else /etc/krb5.conf

	user  string // the user requested by the caller
	namer *namer // maps principals to user names
}

// ErrLogin means that no Kerberos ticket can be obtained and that retrying does
// not help.
var ErrLogin = errors.New("kerberos")

func loginError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrLogin}, args...)...)
}

// login holds the ticket that sessions connect with.
type login struct {
	kerberos Kerberos
	config   *config.Config
	owner    string // of the ticket: NAME or NAME/HOST
	user     string // the cluster's name for the owner

	mu      sync.Mutex
	current *krb.Client
	read    time.Time // modification time of the cache that current was read from
}

// newLogin gets the first ticket.
func newLogin(k Kerberos) (*login, error) {
	path := first(k.Config, os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf")
	conf, err := config.Load(path)
	if err != nil {
		return nil, loginError("%s: %w; set KRB5_CONFIG to use another file", path, err)
	}
	if k.Keytab == "" && k.Cache == "" {
		k.Keytab = strings.TrimPrefix(os.Getenv("KRB5_CLIENT_KTNAME"), "FILE:")
	}
	if k.Keytab != "" {
		if k.Principal, err = principal(k.Keytab, first(k.Principal, os.Getenv("TKIT_PRINCIPAL"))); err != nil {
			return nil, err
		}
	} else {
		k.Cache = strings.TrimPrefix(first(k.Cache, os.Getenv("KRB5CCNAME"), fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid())), "FILE:")
		if kind, _, ok := strings.Cut(k.Cache, ":"); ok && !strings.Contains(kind, "/") {
			return nil, loginError("a credential cache of the kind %s cannot be read: use a file (kinit -c FILE) or a keytab", kind)
		}
	}
	l := &login{kerberos: k, config: conf}
	c, err := l.client()
	if err != nil {
		return nil, err
	}
	l.owner = c.Credentials.UserName()
	realm := c.Credentials.Realm()
	if l.user, err = k.namer.short(l.owner, realm, conf.LibDefaults.DefaultRealm); err != nil {
		// The cluster may have a rule that this machine's configuration lacks.
		l.user = l.owner + "@" + realm
	}
	if first, _, _ := strings.Cut(l.owner, "/"); k.user != "" && k.user != l.owner && k.user != first && k.user != l.user {
		l.close()
		return nil, loginError("the ticket belongs to %s, not to %s", l.owner, k.user)
	}
	return l, nil
}

// principal returns the requested principal, or the keytab's only one.
func principal(file, asked string) (string, error) {
	keys, err := keytab.Load(file)
	if err != nil {
		return "", loginError("keytab %s: %w", file, err)
	}
	if asked != "" {
		return asked, nil
	}
	var all []string
	for _, e := range keys.Entries {
		if p := e.Principal.String(); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if len(all) != 1 {
		return "", loginError("the keytab %s has keys of %q: set TKIT_PRINCIPAL to one of them", file, all)
	}
	return all[0], nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// client returns the credentials for one session.
func (l *login) client() (*krb.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kerberos.Keytab == "" {
		return l.fromCache()
	}
	if l.current == nil {
		c, err := l.fromKeytab()
		if err != nil {
			return nil, err
		}
		l.current = c
	}
	return l.current, nil
}

func (l *login) fromKeytab() (*krb.Client, error) {
	k, err := keytab.Load(l.kerberos.Keytab)
	if err != nil {
		return nil, loginError("keytab %s: %w", l.kerberos.Keytab, err)
	}
	name, realm, _ := strings.Cut(l.kerberos.Principal, "@")
	c := krb.NewWithKeytab(name, first(realm, l.config.LibDefaults.DefaultRealm), k, l.config, krb.DisablePAFXFAST(true))
	if err := c.Login(); err != nil {
		return nil, ticketError(l.kerberos.Principal, l.kerberos.Keytab, err)
	}
	return c, nil
}

// ticketError distinguishes an unreachable KDC, which may recover, from a
// rejected key.
func ticketError(principal, from string, err error) error {
	if strings.Contains(err.Error(), "KRB Error") || strings.Contains(err.Error(), "matching key not found") {
		return loginError("%s from %s: %w", principal, from, err)
	}
	return fmt.Errorf("kerberos ticket of %s: %w", principal, err)
}

func (l *login) fromCache() (*krb.Client, error) {
	info, err := os.Stat(l.kerberos.Cache)
	if err != nil {
		return nil, loginError("no ticket: %w; run kinit, or set KRB5_CLIENT_KTNAME to a keytab", err)
	}
	if l.current != nil && info.ModTime().Equal(l.read) {
		return l.current, nil
	}
	cache, err := credentials.LoadCCache(l.kerberos.Cache)
	if err != nil {
		return nil, loginError("credential cache %s: %w", l.kerberos.Cache, err)
	}
	c, err := krb.NewFromCCache(cache, l.config, krb.DisablePAFXFAST(true))
	if err != nil {
		return nil, loginError("credential cache %s: %w", l.kerberos.Cache, err)
	}
	if ok, err := c.IsConfigured(); !ok {
		return nil, loginError("credential cache %s: %w", l.kerberos.Cache, err)
	}
	l.current, l.read = c, info.ModTime()
	return c, nil
}

// judge classifies the error of a session that could not be made. The ticket it
// used is not used again.
func (l *login) judge(err error) error {
	if l == nil || !strings.Contains(err.Error(), "SASL handshake") {
		return err
	}
	l.forget()
	return l.explain(err)
}

// explain distinguishes an expired ticket that this process cannot renew from
// temporary errors.
func (l *login) explain(err error) error {
	text := err.Error()
	if l.kerberos.Keytab == "" && (strings.Contains(text, "EXPIRED") || strings.Contains(text, "no user credentials available")) {
		return loginError("the ticket in %s has expired: run kinit, or set KRB5_CLIENT_KTNAME to a keytab, from which tickets are renewed during the job: %w", l.kerberos.Cache, err)
	}
	return err
}

// forget makes the next session get a new ticket. Others may be using the
// current one: the ticket of a cache is left to them, because without it they
// would fail with "no ticket". The ticket of a keytab is ended together with
// the goroutine that renews it, and its users retry.
func (l *login) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && l.kerberos.Keytab != "" {
		l.current.Destroy()
	}
	l.current = nil
}

func (l *login) close() { l.forget() }

package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"tkit/access/audit"
)

// An Authority decides who may do what in a home, and records its decisions. Its
// methods may be called concurrently.
type Authority struct {
	home           string
	owner          uint32 // of the home
	store          Store
	current        atomic.Pointer[Policy] // see Policy
	groups         Groups
	cache          *groupCache
	log            audit.Log
	as             string // the system account of this process
	administrators []Principal
}

// Open opens the authority of a home and its store. Nil groups mean its HomeGroups.
// Open refuses a home whose audit log is missing or ahead of the database: the
// database has then lost changes of the policy. See [Accept].
func Open(ctx context.Context, home string, store OpenStore, groups Groups) (*Authority, error) {
	a, err := open(ctx, home, store, groups)
	if err != nil {
		return nil, err
	}
	if err := a.log.Compare(ctx); err != nil {
		if errors.Is(err, audit.ErrMissing) || errors.Is(err, audit.ErrAhead) {
			err = fmt.Errorf("%w: restore the home as a whole, or accept it as it is", err)
		}
		return nil, errors.Join(fmt.Errorf("access: %w", err), a.Close())
	}
	return a, nil
}

// Accept makes a home usable that Open refuses, because its database was restored
// from a backup that is older than the audit log, or because its log was lost. It
// records that in the log. Only an administrator may do this.
func Accept(ctx context.Context, who Caller, home string, store OpenStore, reason string) (err error) {
	if who.Principal == "" {
		return errNobody
	}
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("%w: say why", ErrInvalid)
	}
	if err := checkText(reason); err != nil {
		return err
	}
	a, err := open(ctx, home, store, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	wrong := a.log.Compare(ctx)
	switch {
	case wrong == nil:
		return fmt.Errorf("%w: the database and the audit log of %s match: there is nothing to accept", ErrInvalid, home)
	case !errors.Is(wrong, audit.ErrMissing) && !errors.Is(wrong, audit.ErrAhead):
		return wrong
	case !slices.ContainsFunc(a.administrators, who.is):
		return fmt.Errorf("%w: %s does not administer this home", ErrDenied, who.Principal)
	}
	return a.log.Accept(ctx, audit.Record{Who: string(who.Principal), As: a.as, Action: "accept", Outcome: audit.Allowed, Reason: fmt.Sprintf("%s: %v", reason, wrong)})
}

// open is Open for a home whose log may not fit.
func open(ctx context.Context, home string, store OpenStore, groups Groups) (_ *Authority, err error) {
	if groups == nil {
		groups = HomeGroups(home)
	}
	self, err := Self()
	if err != nil {
		return nil, err
	}
	a := &Authority{home: home, groups: groups, as: self.Name()}
	if a.store, err = store(ctx, home); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	a.cache = newGroupCache(a.groupsOf)
	if a.owner, a.administrators, err = administrators(home); err == nil {
		a.log, err = a.store.OpenLog()
	}
	if err != nil {
		return nil, errors.Join(err, a.store.Close())
	}
	return a, nil
}

// Close closes the authority once the calls in progress have returned, and its
// groups if they are an io.Closer.
func (a *Authority) Close() error {
	a.cache.close()
	var err error
	if c, ok := a.groups.(io.Closer); ok {
		err = c.Close()
	}
	return errors.Join(err, a.log.Close(), a.store.Close())
}

// Log returns the audit log.
func (a *Authority) Log() audit.Log { return a.log }

// administrators are the owner of a home's folder and the superuser: they can
// change its files anyway.
func administrators(home string) (owner uint32, all []Principal, err error) {
	if owner, err = ownerOf(home); err != nil {
		return 0, nil, fmt.Errorf("access: %w", err)
	}
	all = []Principal{User("root")}
	if owner != 0 {
		u, err := user.LookupId(strconv.FormatUint(uint64(owner), 10))
		if err != nil {
			return 0, nil, fmt.Errorf("access: the owner of %s: %w", home, err)
		}
		all = append(all, User(u.Username))
	}
	return owner, all, nil
}

// groupsOf asks the directory for a member's groups.
func (a *Authority) groupsOf(ctx context.Context, m member) ([]Principal, error) {
	if m.cluster == "" {
		return a.groups.Of(ctx, m.principal)
	}
	return a.groups.(ClusterGroups).OfCluster(ctx, m.cluster, m.principal)
}

// CheckAdministrator refuses everybody but the administrators of a home. It needs no
// database and records nothing: it is for a home that cannot be opened.
func CheckAdministrator(home string, who Caller) error {
	if who.Principal == "" {
		return errNobody
	}
	_, all, err := administrators(home)
	if err == nil && !slices.ContainsFunc(all, who.is) {
		err = fmt.Errorf("%w: %s does not administer this home", ErrDenied, who.Principal)
	}
	return err
}

// homeObject is the object of decisions about a home as a whole in the audit log.
const homeObject Object = "home"

// AuthorizeAdministrator refuses everybody but the administrators of the home, and
// records the decision.
func (a *Authority) AuthorizeAdministrator(ctx context.Context, who Caller, action string) error {
	return a.require(ctx, who, action, func(p *Policy, who Caller) Decision { return a.administers(p, who, homeObject) })
}

// RequireAdministrator is AuthorizeAdministrator that records only a refusal.
func (a *Authority) RequireAdministrator(ctx context.Context, who Caller, action string) error {
	return a.require(ctx, who, action, func(p *Policy, who Caller) Decision { return a.administers(p, who, "") })
}

// IsAccount reports whether a caller is the system account of this process.
func (a *Authority) IsAccount(who Caller) bool { return who.Principal == User(a.as) }

// RequireAccount refuses everybody but the system account of this process. Only a
// refusal is recorded.
func (a *Authority) RequireAccount(ctx context.Context, who Caller, action string) error {
	return a.require(ctx, who, action, func(p *Policy, who Caller) Decision {
		return Decision{
			Generation: p.generation, Allowed: a.IsAccount(who),
			Reason: fmt.Sprintf("unregistered data is only for the account %s", a.as),
		}
	})
}

// require decides by a rule and records the decision, unless it allows and has no
// object.
func (a *Authority) require(ctx context.Context, who Caller, action string, rule func(*Policy, Caller) Decision) error {
	who, err := a.Resolve(ctx, who)
	if err != nil {
		return err
	}
	p, err := a.Policy(ctx)
	if err != nil {
		return err
	}
	d, r := rule(p, who), Request{Action: action}
	if err := a.record(ctx, p, who, r, d); err != nil {
		return err
	}
	return p.refusal(who, r, d)
}

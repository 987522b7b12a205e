package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tkit/access/audit"
)

// ErrDenied: the policy does not allow it.
var ErrDenied = errors.New("not allowed")

// An Authority decides for a home, and writes down what it decides. Its methods
// may be called at once.
type Authority struct {
	home           string
	owner          uint32 // of the home
	store          *Store
	groups         Groups
	roster         *roster
	log            *audit.Log
	as             string // the system account that does what is decided
	administrators []Principal
}

// Open opens the authority of a home; groups nil means its HomeGroups. It refuses a
// home whose audit log is missing or ahead of the database, from which changes of
// the policy have been lost then; see [Accept].
func Open(ctx context.Context, home string, groups Groups) (*Authority, error) {
	a, err := open(ctx, home, groups)
	if err != nil {
		return nil, err
	}
	if err := a.log.Compare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("access: %w. Restore the home as a whole; `tkit access accept` goes on with what is there", err), a.Close())
	}
	return a, nil
}

// Accept goes on with a home that Open refuses: one whose database was restored from
// a backup that is older than the audit log, or whose log was lost. The log says so
// from then on. Only an administrator may.
func Accept(ctx context.Context, home, reason string) (err error) {
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("%w: say why", ErrInvalid)
	}
	if err := checkText(reason); err != nil {
		return err
	}
	a, err := open(ctx, home, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	who, err := Self()
	if err != nil {
		return err
	}
	wrong := a.log.Compare(ctx)
	switch {
	case wrong == nil:
		return fmt.Errorf("%w: the database and the audit log of %s fit: there is nothing to accept", ErrInvalid, home)
	case !errors.Is(wrong, audit.ErrMissing) && !errors.Is(wrong, audit.ErrAhead):
		return wrong
	case !slices.Contains(a.administrators, who):
		return fmt.Errorf("%w: %s does not administer this home", ErrDenied, who)
	}
	return a.log.Accept(ctx, audit.Record{Who: string(who), As: a.as, Action: "accept", Outcome: audit.Allowed, Reason: fmt.Sprintf("%s: %v", reason, wrong)})
}

// open is Open for a home whose log may not fit.
func open(ctx context.Context, home string, groups Groups) (_ *Authority, err error) {
	if groups == nil {
		groups = HomeGroups(home)
	}
	self, err := Self()
	if err != nil {
		return nil, err
	}
	a := &Authority{home: home, groups: groups, as: self.Name()}
	if a.store, err = OpenStore(ctx, home); err != nil {
		return nil, err
	}
	a.roster = newRoster(a.groupsOf)
	if a.owner, a.administrators, err = administrators(home); err == nil {
		a.log, err = audit.Open(filepath.Join(home, "audit"), auditHead{a.store})
	}
	if err != nil {
		return nil, errors.Join(err, a.store.Close())
	}
	return a, nil
}

// Close closes the authority once the calls in progress have returned, and its
// groups where they hold anything.
func (a *Authority) Close() error {
	a.roster.close()
	var err error
	if c, ok := a.groups.(io.Closer); ok {
		err = c.Close()
	}
	return errors.Join(err, a.log.Close(), a.store.Close())
}

// Store is what keeps the policy.
func (a *Authority) Store() *Store { return a.store }

// Log is where decisions are written down.
func (a *Authority) Log() *audit.Log { return a.log }

// administrators are the owner of a home's folder and the superuser: who could
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

// Ask makes an asker of an authenticated principal: it resolves the groups. The
// error wraps ErrUnknownGroups where nobody can tell them.
func (a *Authority) Ask(ctx context.Context, p Principal, purpose string) (Asker, error) {
	if _, err := ParsePrincipal(string(p)); err != nil {
		return Asker{}, err
	}
	groups, err := a.roster.of(ctx, member{principal: p})
	if err != nil {
		return Asker{}, err
	}
	return Asker{Principal: p, Groups: groups, Purpose: purpose, unsure: groups == nil}, nil
}

// groupsOf looks a member up.
func (a *Authority) groupsOf(ctx context.Context, m member) ([]Principal, error) {
	if m.cluster == "" {
		return a.groups.Of(ctx, m.principal)
	}
	return a.groups.(ClusterGroups).OfCluster(ctx, m.cluster, m.principal)
}

// A Question is a right on one object, or on a version by its lineage, and
// what it is wanted for.
type Question struct {
	Action  string // such as "train" or "predict"
	Right   Right
	Object  Object
	Lineage []Origin // instead of Object
	Behind  []Origin // what else may decide, beside Object
	// Data is what takes part besides, for the record: the dataset versions, where
	// a lineage does not tell them.
	Data []string
	// Store is as whom the store of the data is read, "" where it knows no
	// users of its own, or is not open yet. It must be the one who asks.
	Store string
}

// Answer decides a question by a policy and writes nothing down. An error means
// that it could not be decided.
func (a *Authority) Answer(ctx context.Context, p *Policy, who Asker, q Question) (Decision, error) {
	who = a.In(ctx, who, p.Clusters(p.objects(q)))
	var d Decision
	if now := time.Now(); len(q.Lineage) > 0 {
		d = p.DecideVersion(who, q.Right, q.Lineage, now)
	} else {
		d = p.Decide(who, q.Right, q.Object, now)
	}
	if d.Unknown != nil {
		return d, d.Unknown
	}
	return a.admits(who, q, d)
}

// Decide answers a question by the policy in force and writes the decision
// down. The error wraps ErrDenied where the answer is no; any other means that
// it could not be decided, and then it is no as well. Where nothing governs
// there is nothing to decide and to write.
func (a *Authority) Decide(ctx context.Context, who Asker, q Question) (Decision, error) {
	p, err := a.store.Policy(ctx)
	if err != nil {
		return Decision{}, err
	}
	return a.DecideBy(ctx, p, who, q)
}

// DecideBy is Decide by a policy that the caller has.
func (a *Authority) DecideBy(ctx context.Context, p *Policy, who Asker, q Question) (Decision, error) {
	d, err := a.Answer(ctx, p, who, q)
	if err != nil {
		return Decision{}, err
	}
	if err := a.record(ctx, p, who, q, d); err != nil {
		return Decision{}, err
	}
	return d, p.refusal(who, q, d)
}

// record writes a decision by a policy down.
func (a *Authority) record(ctx context.Context, p *Policy, who Asker, q Question, d Decision) error {
	if d.Allowed && d.Object == "" {
		return nil
	}
	r := audit.Record{
		Who: string(who.Principal), As: a.as, Store: q.Store, Action: q.Action, Right: string(q.Right), Object: string(d.Object), Data: q.Data,
		Purpose: who.Purpose, Policy: d.Generation, Grant: d.Grant, Outcome: audit.Denied, Reason: d.Reason,
	}
	if len(q.Lineage) > 0 {
		r.Model = q.Lineage[0].Version
		r.Data = append(slices.Clone(q.Data), p.versions(q.Lineage)...)
	}
	if d.Allowed {
		r.Outcome = audit.Allowed
	}
	return a.log.Append(ctx, r)
}

// A Refusal is a decision that says no. It is ErrDenied.
type Refusal struct {
	Who      Asker
	Question Question
	Decision Decision
	Owner    Principal // of the object that says no
}

// Error names the object, why, and who can change it.
func (r *Refusal) Error() string {
	what := string(r.Question.Action)
	if len(r.Question.Lineage) > 0 {
		what += " " + r.Question.Lineage[0].Version
	}
	text := fmt.Sprintf("%v to %s: %s", ErrDenied, what, r.Decision.Reason)
	if r.Decision.ReadAs != "" {
		return text + "; " + remedy(r.Who.Principal, r.Decision.ReadAs)
	}
	if r.Owner != "" {
		text += fmt.Sprintf("; %s owns it and can allow it", r.Owner)
	}
	return text
}

// Is makes a refusal ErrDenied.
func (r *Refusal) Is(target error) bool { return target == ErrDenied }

// refusal is a decision that says no as an error, nil for one that says yes.
func (p *Policy) refusal(who Asker, q Question, d Decision) error {
	if d.Allowed {
		return nil
	}
	return &Refusal{Who: who, Question: q, Decision: d, Owner: p.owners[d.Object]}
}

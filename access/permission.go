package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Needs are the objects on which a run needs rights until it ends.
type Needs struct {
	// Data is the training data. The run needs TRAIN on every dataset that the
	// data belongs to.
	Data []Data
	// Base is the lineage of the registered version that the run builds on. The
	// run needs USE and DOWNLOAD, because the weights become part of another
	// model.
	Base []Origin
	// Used is the lineage of a version that the run uses. The run needs USE.
	Used []Origin
}

// requests are those of a run, by a policy.
func (n Needs) requests(p *Policy) []Request {
	var all []Request
	for _, d := range n.Data {
		for _, object := range p.DatasetsOf(d) {
			all = append(all, Request{Action: "train", Right: Train, Object: object, Data: []string{d.Version(object)}, Store: d.Store})
		}
	}
	if len(n.Base) > 0 {
		all = append(all,
			Request{Action: "build on", Right: Use, Lineage: n.Base},
			Request{Action: "build on", Right: Download, Lineage: n.Base})
	}
	if len(n.Used) > 0 {
		all = append(all, Request{Action: "predict", Right: Use, Lineage: n.Used})
	}
	return all
}

// A Permission is the permission of a run, such as a training. It is decided
// when the run begins, and must remain valid until the run ends. Its methods may
// be called concurrently.
type Permission struct {
	authority *Authority
	caller    Caller

	mu       sync.Mutex
	needs    Needs
	askStore func(context.Context) error // see Watch
}

// NewPermission returns the permission of a caller's run. Nothing is decided yet.
func (a *Authority) NewPermission(c Caller, n Needs) *Permission {
	return &Permission{authority: a, caller: c, needs: n}
}

func (p *Permission) currentNeeds() Needs {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.needs
}

// resolve returns the caller with the groups it is in now, and the policy in
// force.
func (p *Permission) resolve(ctx context.Context) (Caller, *Policy, error) {
	who, err := p.authority.Resolve(ctx, p.caller)
	if err != nil {
		return Caller{}, nil, err
	}
	policy, err := p.authority.Policy(ctx)
	return who, policy, err
}

// Authorize decides everything that the run needs and records each decision.
func (p *Permission) Authorize(ctx context.Context) error {
	who, policy, err := p.resolve(ctx)
	if err != nil {
		return err
	}
	for _, r := range p.currentNeeds().requests(policy) {
		if _, err := p.authority.AuthorizeBy(ctx, policy, who, r); err != nil {
			return err
		}
	}
	return nil
}

// Check decides everything that the run needs, as Authorize does, and records only
// a refusal. It returns the generation of the policy that allowed the run.
func (p *Permission) Check(ctx context.Context) (generation int64, err error) {
	who, policy, err := p.resolve(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range p.currentNeeds().requests(policy) {
		d, err := p.authority.Decide(ctx, policy, who, r)
		if err != nil {
			return 0, err
		}
		if !d.Allowed {
			return 0, errors.Join(policy.refusal(who, r, d), p.authority.record(ctx, policy, who, r, d))
		}
	}
	return policy.generation, nil
}

// Opened adds the user that the store of the data is read as, "" where it has no
// users of its own, and the URI of what was opened there. It decides again, before
// anything is read: the user must be the caller, and the name may have led to
// something else before.
func (p *Permission) Opened(ctx context.Context, user, uri string) error {
	policy, err := p.authority.Policy(ctx)
	if err != nil {
		return err
	}
	p.change(func(d *Data) {
		if opened, failed := policy.Opened(*d, user, uri); failed == nil {
			*d = opened
		} else {
			err = failed
		}
	})
	if err != nil {
		return err
	}
	return p.Authorize(ctx)
}

// change updates the information about the data.
func (p *Permission) change(f func(*Data)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.needs.Data = slices.Clone(p.needs.Data)
	for i := range p.needs.Data {
		f(&p.needs.Data[i])
	}
}

// Watch sets the function that asks the data's store whether its user may still
// read. Hold calls it from then on. If it returns fs.ErrPermission, the permission
// is lost.
func (p *Permission) Watch(ask func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.askStore = ask
}

// Denied records that the store of the data does not let its user read it, as err
// says. It returns an error that wraps ErrDenied and err, or err itself if
// nothing governs the data.
func (p *Permission) Denied(ctx context.Context, err error) error {
	who, policy, failed := p.resolve(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	for _, r := range p.currentNeeds().requests(policy) {
		if r.Right != Train {
			continue
		}
		d := Decision{Object: r.Object, Generation: policy.generation, Reason: "the store: " + err.Error()}
		failed := p.authority.record(ctx, policy, who, r, d)
		return errors.Join(fmt.Errorf("%w to train: %w", ErrDenied, err), failed)
	}
	return err
}

// Found adds the digest of the data's content and decides again: by its content
// the data may be a copy of a registered dataset. It returns the names of the
// datasets that the data belongs to, and stores the content as a snapshot of those
// whose place it has.
func (p *Permission) Found(ctx context.Context, digest string, entries int) ([]string, error) {
	p.change(func(d *Data) { d.Digest = digest })
	if err := p.Authorize(ctx); err != nil {
		return nil, err
	}
	names, err := p.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	s := Snapshot{Digest: digest, Entries: entries, By: p.caller.Principal}
	return names, p.authority.addSnapshot(ctx, p.currentNeeds().Data, s)
}

// Datasets returns the names of the registered datasets that the data belongs to.
func (p *Permission) Datasets(ctx context.Context) ([]string, error) {
	policy, err := p.authority.Policy(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range p.currentNeeds().Data {
		for _, o := range policy.DatasetsOf(d) {
			names = append(names, o.Name())
		}
	}
	return names, nil
}

// Domain returns a name for the set of all objects that restrict the run, "" if
// there are none. Data derived from restricted data is stored separately for
// each domain.
func (p *Permission) Domain(ctx context.Context) (string, error) {
	policy, err := p.authority.Policy(ctx)
	if err != nil {
		return "", err
	}
	n := p.currentNeeds()
	return policy.Domain(append([]Origin{{Data: n.Data}}, n.Base...)), nil
}

// undecidedFor is how long a run continues while its permission cannot be decided,
// such as while the directory of groups does not respond.
const undecidedFor = 30 * time.Second

// Hold checks the permission while a run goes on, once in each interval. When it is
// lost, or cannot be decided for half a minute, the returned context ends with the
// reason as its cause. The caller calls stop when the run is over.
func (p *Permission) Hold(ctx context.Context, every time.Duration) (_ context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for decided := time.Now(); ; {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			err := p.check(held)
			switch {
			case err == nil:
				decided = time.Now()
			case errors.Is(err, ErrDenied) || time.Since(decided) > undecidedFor:
				cancel(fmt.Errorf("stopped: %w", err))
			}
		}
	}()
	return held, func() { cancel(nil); <-done }
}

// check calls Check and the function set by Watch.
func (p *Permission) check(ctx context.Context) error {
	if _, err := p.Check(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	ask := p.askStore
	p.mu.Unlock()
	if ask == nil {
		return nil
	}
	// A store that cannot be asked now will fail at the next read.
	if err := ask(ctx); errors.Is(err, fs.ErrPermission) {
		return p.Denied(ctx, err)
	}
	return nil
}

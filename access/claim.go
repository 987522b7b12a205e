package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Needs are what a run of a command needs rights on, for as long as it goes on.
type Needs struct {
	// Data is what it trains on: TRAIN on every dataset that it belongs to.
	Data []Data
	// Base is the lineage of the registered version that it builds on: USE and
	// DOWNLOAD, since its weights go into another model.
	Base []Origin
	// Asked is the lineage of a version that is asked: USE.
	Asked []Origin
}

// questions are a run's, by a policy.
func (n Needs) questions(p *Policy) []Question {
	var all []Question
	for _, d := range n.Data {
		for _, object := range p.DatasetsOf(d) {
			all = append(all, Question{Action: "train", Right: Train, Object: object, Data: []string{d.Version(object)}, Store: d.Store})
		}
	}
	if len(n.Base) > 0 {
		all = append(all,
			Question{Action: "build on", Right: Use, Lineage: n.Base},
			Question{Action: "build on", Right: Download, Lineage: n.Base})
	}
	if len(n.Asked) > 0 {
		all = append(all, Question{Action: "predict", Right: Use, Lineage: n.Asked})
	}
	return all
}

// A Claim is what a run needs, such as one that trains, from its plan to its
// registration. Its methods may be called at once.
type Claim struct {
	authority *Authority
	principal Principal
	purpose   string

	mu      sync.Mutex
	needed  Needs
	watched func(context.Context) error // see Watch
}

// Claim makes a claim. Nothing is decided yet.
func (a *Authority) Claim(p Principal, purpose string, n Needs) *Claim {
	return &Claim{authority: a, principal: p, purpose: purpose, needed: n}
}

func (c *Claim) needs() Needs {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.needed
}

// Decide decides all that the claim is made of, and writes each decision down.
func (c *Claim) Decide(ctx context.Context) error {
	who, err := c.authority.Ask(ctx, c.principal, c.purpose)
	if err != nil {
		return err
	}
	p, err := c.authority.store.Policy(ctx)
	if err != nil {
		return err
	}
	for _, q := range c.needs().questions(p) {
		if _, err := c.authority.Decide(ctx, who, q); err != nil {
			return err
		}
	}
	return nil
}

// Opened tells as whom the store of the data is read, "" where it knows no users
// of its own, and the URI of what was opened there. It decides anew, before
// anything is read: the store lets that user read, which is worth nothing for
// another, and what was opened may not be what its name led to before.
func (c *Claim) Opened(ctx context.Context, user, uri string) error {
	p, err := c.authority.store.Policy(ctx)
	if err != nil {
		return err
	}
	c.change(func(d *Data) {
		if opened, failed := p.Opened(*d, user, uri); failed == nil {
			*d = opened
		} else {
			err = failed
		}
	})
	if err != nil {
		return err
	}
	return c.Decide(ctx)
}

// change changes what is known of the data.
func (c *Claim) change(f func(*Data)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.needed.Data = slices.Clone(c.needed.Data)
	for i := range c.needed.Data {
		f(&c.needed.Data[i])
	}
}

// Watch tells how to ask the store of the data whether it still lets its user
// read. Hold asks from then on: an error that is fs.ErrPermission loses the
// claim.
func (c *Claim) Watch(ask func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = ask
}

// Denied writes down that the store of the data does not let its user read it,
// as err says. It returns an error that wraps ErrDenied and err, or err itself
// where nothing governs the data.
func (c *Claim) Denied(ctx context.Context, err error) error {
	who, failed := c.authority.Ask(ctx, c.principal, c.purpose)
	p, unread := c.authority.store.Policy(ctx)
	if failed = errors.Join(failed, unread); failed != nil {
		return errors.Join(err, failed)
	}
	for _, q := range c.needs().questions(p) {
		if q.Right != Train {
			continue
		}
		d := Decision{Object: q.Object, Generation: p.generation, Reason: "the store: " + err.Error()}
		failed := c.authority.record(ctx, p, who, q, d)
		return errors.Join(fmt.Errorf("%w to train: %w", ErrDenied, err), failed)
	}
	return err
}

// Found tells which content the data turned out to have, and decides anew:
// by it the data may be a copy of a registered dataset. It returns the names
// of the datasets that the data belongs to.
func (c *Claim) Found(ctx context.Context, digest string, entries int) ([]string, error) {
	c.change(func(d *Data) { d.Digest = digest })
	if err := c.Decide(ctx); err != nil {
		return nil, err
	}
	names, err := c.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	return names, c.authority.store.note(ctx, c.needs().Data, c.principal, digest, entries)
}

// Datasets are the names of the registered datasets that the data belongs to.
func (c *Claim) Datasets(ctx context.Context) ([]string, error) {
	p, err := c.authority.store.Policy(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range c.needs().Data {
		for _, o := range p.DatasetsOf(d) {
			names = append(names, o.Name())
		}
	}
	return names, nil
}

// Domain names what the policy separates: all that restricts the run. What is
// derived from restricted data is kept apart by it. It is "" where nothing
// does.
func (c *Claim) Domain(ctx context.Context) (string, error) {
	p, err := c.authority.store.Policy(ctx)
	if err != nil {
		return "", err
	}
	return domain(p.Restrictions(append([]Origin{{Data: c.needs().Data}}, c.needs().Base...))), nil
}

// In decides as Decide does, within a transaction on the home's database: what
// it allows stays allowed until the transaction ends. A refusal is written
// down by the caller's Decide, outside of it.
func (c *Claim) In(ctx context.Context, tx *sql.Tx) error {
	who, err := c.authority.Ask(ctx, c.principal, c.purpose)
	if err != nil {
		return err
	}
	p, err := PolicyIn(ctx, tx)
	if err != nil {
		return err
	}
	return c.refusal(ctx, p, who)
}

// refusal is the first of the claim's questions that is answered with no.
func (c *Claim) refusal(ctx context.Context, p *Policy, who Asker) error {
	for _, q := range c.needs().questions(p) {
		d, err := c.authority.Answer(ctx, p, who, q)
		if err != nil {
			return err
		}
		if err := p.refusal(who, q, d); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a run goes on while nobody can tell whether it may, such
// as when the directory of groups does not answer.
const patience = 30 * time.Second

// Hold watches a claim while a run goes on, looking every so often. Where it is
// lost, or nobody can tell for half a minute, the context that Hold returns
// ends, with the reason as its cause. The caller calls stop when the run is
// over.
func (c *Claim) Hold(ctx context.Context, every time.Duration) (_ context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for known := time.Now(); ; {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			err := c.look(held)
			switch {
			case err == nil:
				known = time.Now()
			case errors.Is(err, ErrDenied) || time.Since(known) > patience:
				cancel(fmt.Errorf("stopped: %w", err))
			}
		}
	}()
	return held, func() { cancel(nil); <-done }
}

// look decides quietly while the answer is yes: it was written down when the
// run began. A no is written down before it is told.
func (c *Claim) look(ctx context.Context) error {
	who, err := c.authority.Ask(ctx, c.principal, c.purpose)
	if err != nil {
		return err
	}
	p, err := c.authority.store.Policy(ctx)
	if err != nil {
		return err
	}
	err = c.refusal(ctx, p, who)
	if r, refused := errors.AsType[*Refusal](err); refused {
		return errors.Join(err, c.authority.record(ctx, p, who, r.Question, r.Decision))
	}
	c.mu.Lock()
	ask := c.watched
	c.mu.Unlock()
	if err != nil || ask == nil {
		return err
	}
	// A store that cannot be asked now is met by whoever reads next.
	if err := ask(ctx); errors.Is(err, fs.ErrPermission) {
		return c.Denied(ctx, err)
	}
	return nil
}

package server

import (
	"context"
	"errors"
	"sync"

	"tkit/access"
	"tkit/access/hadoop"
	"tkit/registry"
	"tkit/serve"
)

// A door is the admission and what it decides by.
type door struct {
	admission *serve.Admission
	authority *access.Authority
	stop      context.CancelFunc
	following sync.WaitGroup
}

// openDoor opens the authority of the home and follows its policy until the
// door is closed, which is after the last request.
func openDoor(ctx context.Context, o Options, r *registry.Registry, l listeners) (_ *door, err error) {
	var groups access.Groups = hadoop.New(o.Home)
	if o.Groups != "" {
		groups = access.GroupsFile(o.Groups)
	}
	self, err := access.Self()
	if err != nil {
		return nil, err
	}
	d := &door{}
	if d.authority, err = access.Open(ctx, o.Home, groups); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.authority.Close())
		}
	}()
	policy, err := d.authority.Store().Follow(ctx, o.Watch)
	if err != nil {
		return nil, err
	}
	var anonymous *access.Caller
	if _, err := d.authority.Resolve(ctx, access.Caller{Principal: self}); err != nil {
		return nil, err // better said now than to every caller
	}
	if !o.Authenticate && !l.open {
		anonymous = &access.Caller{Principal: self}
	}
	d.admission = serve.NewAdmission(serve.AdmissionOptions{Authority: d.authority, Policy: policy, Registry: r, Server: self, Anonymous: anonymous, Log: o.Log})
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	d.following.Go(func() { policy.Run(following, o.Log) })
	return d, nil
}

func (d *door) close() error {
	d.stop()
	d.following.Wait()
	return d.authority.Close()
}

package catalog

import (
	"context"
	"time"

	"tkit/access"
	"tkit/registry"
)

// checkEvery is how often a run checks whether its permission still holds.
const checkEvery = time.Second

// held is the permission of a run, which is checked until the run ends.
type held struct {
	permission *access.Permission
	outer, ctx context.Context
	stop       func()
}

// hold checks a permission until release is called.
func hold(ctx context.Context, p *access.Permission) held {
	h := held{permission: p, outer: ctx}
	h.ctx, h.stop = p.Hold(ctx, checkEvery)
	return h
}

// release ends the checks. It returns why the permission was lost, or nil if it
// was not lost before the context of the run's caller ended.
func (h held) release() error {
	lost := context.Cause(h.ctx)
	h.stop()
	if h.outer.Err() != nil {
		return nil
	}
	return lost
}

// A Use is a version that a caller may use until End, as long as the permission
// remains.
type Use struct {
	Manifest *registry.Manifest

	held
	catalog *Catalog
}

// UseVersion begins the use of a version by a process of the caller's own, such
// as a prediction without a server. The caller of UseVersion calls End.
func (c *Catalog) UseVersion(ctx context.Context, who access.Caller, ref registry.Ref) (*Use, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return nil, err
	}
	m, origins, err := c.version(ctx, ref)
	if err != nil {
		return nil, err
	}
	p := c.authority.NewPermission(who, access.Needs{Used: origins})
	if err := p.Authorize(ctx); err != nil {
		return nil, err
	}
	return &Use{Manifest: m, held: hold(ctx, p), catalog: c}, nil
}

// Context ends when the permission is lost, with the reason as its cause.
func (u *Use) Context() context.Context { return u.ctx }

// Files returns the files of the version.
func (u *Use) Files() (registry.Files, error) {
	return u.catalog.registry.Files(u.ctx, u.Manifest.Ref(), "")
}

// End ends the use. It returns err, the error of the use, or why the permission
// was lost if that is the reason for err.
func (u *Use) End(err error) error {
	if lost := u.release(); err != nil && lost != nil {
		return lost
	}
	return err
}

package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tkit/access"
	"tkit/internal/db"
	"tkit/registry"
	"tkit/registry/blobs"
)

// ErrRegistering is the error of a Collect that waited too long for registrations in
// progress.
var ErrRegistering = errors.New("a registration is in progress: try again later or wait longer")

// AcceptHome makes a home usable that Open refuses because its database or its
// audit log was restored or lost; see [access.Accept]. Only an administrator may
// do this. It writes one record.
//
// Such a home has no [Catalog]. A refusal is not recorded either: a record would
// continue the chain of the audit log where the home was not accepted.
func AcceptHome(ctx context.Context, who access.Caller, o Options, reason string) error {
	return access.Accept(ctx, who, o.Home, o.openStore(), reason)
}

// CollectOptions configure Collect.
type CollectOptions struct {
	DryRun bool          // only report what would be removed
	Wait   time.Duration // for registrations in progress
}

// Collect removes the files that no version refers to, and the files that
// crashed registrations and runs left; see [registry.Registry.Collect]. Only an
// administrator of the home may do this. It writes one record.
//
// It also works in a home whose disk is full, which Open cannot open. It then
// writes its record after it has freed space.
func Collect(ctx context.Context, who access.Caller, o Options, co CollectOptions) (blobs.Collected, error) {
	authority, err := openAuthority(ctx, o)
	if errors.Is(err, db.ErrFull) {
		return collectFull(ctx, who, o, co)
	}
	// A database that is older than the audit log may lack versions.
	if err != nil {
		return blobs.Collected{}, err
	}
	err = errors.Join(authorizeCollect(ctx, authority, who, co), authority.Close())
	if err != nil {
		return blobs.Collected{}, err
	}
	return collect(ctx, o, co)
}

// collectFull collects in a home whose disk is full.
func collectFull(ctx context.Context, who access.Caller, o Options, co CollectOptions) (blobs.Collected, error) {
	if err := access.CheckAdministrator(o.Home, who); err != nil {
		return blobs.Collected{}, err
	}
	collected, err := collect(ctx, o, co)
	if err != nil {
		return collected, err
	}
	authority, err := openAuthority(ctx, o)
	if errors.Is(err, db.ErrFull) { // the disk is still full: nothing can be recorded
		return collected, nil
	}
	if err != nil {
		return collected, err
	}
	return collected, errors.Join(authorizeCollect(ctx, authority, who, co), authority.Close())
}

func authorizeCollect(ctx context.Context, a *access.Authority, who access.Caller, o CollectOptions) error {
	if o.DryRun {
		return a.RequireAdministrator(ctx, who, "collect")
	}
	return a.AuthorizeAdministrator(ctx, who, "collect")
}

func collect(ctx context.Context, o Options, co CollectOptions) (_ blobs.Collected, err error) {
	r, err := o.openRegistry(ctx, registry.OpenToCollect)
	if err != nil {
		return blobs.Collected{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if co.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, co.Wait)
		defer cancel()
	}
	collected, err := r.Collect(ctx, co.DryRun)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", ErrRegistering, err)
	}
	return collected, err
}

package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/internal/workfolder"
	"tkit/registry"
)

// TrainingOptions select the data and the base of a run.
type TrainingOptions struct {
	// Data is a registered dataset's name, or a path or URI.
	Data string
	// Base is what the model is built on: a stored base's name or digest, the
	// reference of a registered version, or the path of a SavedModel's folder, which
	// may be an export of one, or of a frozen graph; "" means no base. A name that means
	// several of them is refused with ErrAmbiguous.
	Base string
}

// CheckTraining refuses options that name what is not there, in a home that does not
// exist: then only files can be meant. It creates and opens nothing, so that a mistyped
// name leaves no new home behind. An error about one of the options is an [OptionError]
// of an [UnknownError].
func CheckTraining(in Options, o TrainingOptions) error {
	if err := in.Exists(); !errors.Is(err, ErrNoHome) {
		return err
	}
	if err := all.CheckExists(o.Data); err != nil {
		return &OptionError{"data", unknownData(o.Data, err)}
	}
	if o.Base == "" {
		return nil
	}
	if _, err := os.Stat(o.Base); err != nil {
		return &OptionError{"base", &UnknownError{fmt.Errorf("%w, and there is no home with stored bases at %s", err, in.Home)}}
	}
	return nil
}

// A TrainingRun is a run that may train on its data and build on its base until
// it ends, as long as the permission remains. It registers the resulting
// version.
type TrainingRun struct {
	// Source is the data.
	Source datasets.Source

	held
	catalog *Catalog
	who     access.Caller
	base    Base
	data    access.Data
	whole   bool

	found    *datasets.Snapshot
	datasets []string // the registered ones that the data belongs to
	domain   string
	readable bool
}

// BeginTraining decides, before anything is read, whether the caller may train on
// the data and build on the base, and opens the data. The decision is recorded
// for each registered dataset, and twice for the base: to use and to download it.
// All of it is decided and recorded again when the data is opened, when its content
// is known, and before the version is registered. The caller of BeginTraining
// calls End. An error about one of the options is an [OptionError], "data" or
// "base".
//
// Only the account that this process runs as can use files and unregistered data.
func (c *Catalog) BeginTraining(ctx context.Context, who access.Caller, o TrainingOptions) (_ *TrainingRun, err error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	found, err := c.locate(ctx, p, who, "train", o.Data)
	if err != nil {
		return nil, &OptionError{"data", err}
	}
	base, err := c.findBase(ctx, who, o.Base)
	if err != nil {
		return nil, &OptionError{"base", err}
	}
	needs := access.Needs{Data: []access.Data{found.data}}
	if base.Version != nil {
		if needs.Base, err = c.origins(ctx, base.Version); err != nil {
			return nil, &OptionError{"base", err}
		}
	}
	permission := c.authority.NewPermission(who, needs)
	if err := permission.Authorize(ctx); err != nil {
		return nil, err
	}
	r := &TrainingRun{held: hold(ctx, permission), catalog: c, who: who, base: base, data: found.data}
	r.whole = len(p.DatasetsOf(r.data)) > 0
	if r.Source, err = all.OpenIf(r.ctx, found.uri, func(user, opened string) error { return r.opened(p, user, opened) }); err != nil {
		return nil, r.End(&OptionError{"data", err})
	}
	return r, nil
}

// opened decides again when the data is opened, before anything of it is read.
func (r *TrainingRun) opened(p *access.Policy, user, uri string) error {
	var err error
	if r.data, err = p.Opened(r.data, user, uri); err != nil {
		return err
	}
	// The opened data may be restricted although the data at the name was not
	// before.
	r.whole = r.whole || len(p.DatasetsOf(r.data)) > 0
	return r.permission.Opened(r.ctx, user, uri)
}

// NewWorkFolder makes a folder in the home for this run alone. The caller closes it;
// Collect removes the folders of killed runs.
func (r *TrainingRun) NewWorkFolder() (*workfolder.Folder, error) {
	return workfolder.New(r.catalog.home, registry.WorkPrefix)
}

// Context ends when the permission is lost, with the reason as its cause.
func (r *TrainingRun) Context() context.Context { return r.ctx }

// AllOrNothing says that the data is restricted: it is used whole or not at all.
func (r *TrainingRun) AllOrNothing() bool { return r.whole }

// Found decides again once the content of the data is known: it may be a copy of a
// registered dataset. From then on the store of restricted data is asked regularly
// whether its user may still read. Found is called before anything is derived from
// the data.
func (r *TrainingRun) Found(ctx context.Context, s *datasets.Snapshot, report *datasets.Report) (err error) {
	if r.datasets, err = r.permission.Found(ctx, s.Digest, len(s.Entries)); err != nil {
		return err
	}
	if r.readable, err = r.mayRead(ctx, s); err != nil {
		return err
	}
	if len(r.datasets) > 0 {
		if err := checkWhole(report); err != nil {
			return err
		}
		r.permission.Watch(r.sampleStore(s))
	}
	if r.domain, err = r.permission.Domain(ctx); err == nil {
		r.found = s
	}
	return err
}

// mayRead decides whether the caller may see the data: the right to train does
// not include this.
func (r *TrainingRun) mayRead(ctx context.Context, s *datasets.Snapshot) (bool, error) {
	who, p, err := r.catalog.begin(ctx, r.who)
	if err != nil {
		return false, err
	}
	data := r.data
	data.Digest, data.Store = s.Digest, datasets.User(r.Source)
	err = r.catalog.authorizeRead(ctx, p, who, "train", data)
	if errors.Is(err, access.ErrDenied) {
		return false, nil
	}
	return err == nil, err
}

// MayRead reports, after Found, whether the caller may see the data and the names
// of its images.
func (r *TrainingRun) MayRead() bool { return r.readable }

// DerivedFolder returns the folder for derived data that outlives the run,
// below a name such as "bottlenecks". There is one folder for each set of
// restrictions, so that data derived from restricted data is not used by a run
// without access to it. It is "" before Found.
func (r *TrainingRun) DerivedFolder(name string) string {
	if r.found == nil {
		return ""
	}
	return r.catalog.derivedFolder(r.domain, name)
}

// derivedFolder is the folder of a domain for derived data of a name.
func (c *Catalog) derivedFolder(domain, name string) string {
	if domain == "" {
		return filepath.Join(c.home, name)
	}
	return filepath.Join(c.home, "restricted", domain, name)
}

// Register registers the version that the run has trained. The permission is
// decided and recorded once more, and must still be valid in the transaction in
// which the version appears. Register sets in the lineage which registered
// datasets the snapshot belongs to and which version the base is.
func (r *TrainingRun) Register(n registry.Registration) (registry.Version, error) {
	if err := r.completeLineage(&n.Manifest.Lineage); err != nil {
		return registry.Version{}, err
	}
	if len(r.datasets) > 0 {
		if err := datasets.MayRead(r.ctx, r.Source, keysOf(r.found.Entries)); err != nil {
			return registry.Version{}, err
		}
	}
	if err := r.permission.Authorize(r.ctx); err != nil {
		return registry.Version{}, err
	}
	if n.By.Actor == "" {
		n.By.Actor = r.who.Principal.Name()
	}
	n.Permitted = r.permission.Check
	return r.catalog.registry.Register(r.ctx, n)
}

// completeLineage sets the lineage of a registration to that of the run.
func (r *TrainingRun) completeLineage(l *registry.Lineage) error {
	if r.found == nil {
		return errors.New("register: the content of the data is not known: call Found first")
	}
	if len(l.Snapshots) != 1 || string(l.Snapshots[0].Digest) != r.found.Digest {
		return fmt.Errorf("register: the lineage has other data than the run, which was trained on %s", r.found.Digest)
	}
	l.Snapshots = []registry.SnapshotRef{l.Snapshots[0]}
	l.Snapshots[0].Datasets = r.datasets
	if r.base == (Base{}) {
		return nil
	}
	if l.Base == nil {
		return fmt.Errorf("register: the lineage lacks the base %s", r.base)
	}
	base := *l.Base
	if v := r.base.Version; v != nil {
		base.Version = v.Ref().String()
	}
	if stored := r.base.Stored; stored != nil && base.Digest != stored.Network.Digest {
		return fmt.Errorf("register: the lineage has the base %s, and the run was built on %s", base.Digest, r.base)
	}
	l.Base = &base
	return nil
}

// Promote makes an alias name a version, as [Catalog.Promote] does.
func (r *TrainingRun) Promote(ref registry.Ref, alias string, by registry.Change) (registry.Alias, error) {
	return r.catalog.Promote(r.ctx, r.who, ref, alias, by)
}

// End ends the run and closes its data. It returns err, the error of the run, with
// the reason if the permission was lost.
func (r *TrainingRun) End(err error) error {
	lost := r.release()
	if errors.Is(err, datasets.ErrDenied) && !errors.Is(err, access.ErrDenied) && r.outer.Err() == nil {
		err = r.permission.Denied(r.outer, err)
	}
	if err != nil && lost != nil {
		err = fmt.Errorf("%w; nothing was registered", lost)
	}
	if r.Source != nil { // used by the checks
		err = errors.Join(err, datasets.Close(r.Source))
	}
	return err
}

// checkWhole refuses restricted data of which the store has withheld a part. That
// the data is restricted may be known only from its content.
func checkWhole(r *datasets.Report) error {
	for _, q := range r.Quarantined {
		if q.Reason == datasets.Denied {
			return fmt.Errorf("%s: the dataset must be readable as a whole: %w: %w: %s", q.Key, datasets.ErrDenied, fs.ErrPermission, q.Detail)
		}
	}
	return nil
}

// filesPerCheck is how many files the store is asked for at each check.
const filesPerCheck = 16

// sampleStore returns a function that asks the store about the next few files of
// a snapshot at each call, and starts again after the last one.
func (r *TrainingRun) sampleStore(s *datasets.Snapshot) func(context.Context) error {
	next := 0
	return func(ctx context.Context) error {
		from := next
		if next += filesPerCheck; next >= len(s.Entries) {
			next = 0
		}
		return datasets.MayRead(ctx, r.Source, keysOf(s.Entries[from:min(from+filesPerCheck, len(s.Entries))]))
	}
}

func keysOf(entries []datasets.Entry) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Key) {
				return
			}
		}
	}
}

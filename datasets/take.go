package datasets

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"tkit/internal/guard"
	"tkit/internal/preprocessing"
)

// DefaultMaxBytes bounds the encoded size of an image if the options set no
// bound.
const DefaultMaxBytes int64 = 256 << 20

// SnapshotOptions sets how to take a snapshot. Zero values mean defaults.
type SnapshotOptions struct {
	// Workers is how many examples are read concurrently; the default is twice
	// the number of processors, at least 4.
	Workers int
	// MaxPixels quarantines larger images; the default is
	// preprocessing.DefaultMaxPixels. Use the bound of the model's
	// preprocessing.
	MaxPixels int64
	// MaxBytes quarantines longer files; the default is DefaultMaxBytes.
	MaxBytes int64
	// Decode, if set, is the decode step of the images' preprocessing: the
	// report warns of properties that it ignores.
	Decode *preprocessing.Decode
	// AnyFile accepts files of any format, unexamined, because the
	// preprocessing begins with a plugin that reads them.
	AnyFile bool
	// AllOrNothing ends the snapshot with an error that is fs.ErrPermission if
	// the store denies this user one of the files. Otherwise that file is
	// quarantined like other unreadable ones.
	AllOrNothing bool
	// Look, if set, is called for usable images, so that the report can list
	// near duplicates: for the first MaxPrints of them, by default
	// DefaultMaxPrints. It is not called with AnyFile.
	Look      Look
	MaxPrints int
	// Progress, if set, is called from one goroutine after every example with
	// the number of examples and bytes read so far.
	Progress func(done int, bytes int64)
}

func (o SnapshotOptions) withDefaults() SnapshotOptions {
	if o.Workers <= 0 {
		o.Workers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.MaxPixels <= 0 {
		o.MaxPixels = preprocessing.DefaultMaxPixels
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxPrints <= 0 {
		o.MaxPrints = DefaultMaxPrints
	}
	if o.Progress == nil {
		o.Progress = func(int, int64) {}
	}
	return o
}

// TakeSnapshot reads every example of a source once and records the usable
// ones. The others are quarantined in the report, by name and with the reason;
// nothing is omitted silently. Identical bytes under two labels are all
// quarantined, because the right label is unknown. Images are decoded only by
// the options' Look and, for the report's Details, if they have 16 bits per
// sample or transparency. Without a Look, a file that is complete but corrupt
// inside is accepted and detected later by the decoder (see Snapshot.Without).
//
// It fails if the source cannot list, if the store is unavailable, and when the
// context ends. If nothing usable is left it returns ErrNoExamples together
// with the report.
func TakeSnapshot(ctx context.Context, src Source, o SnapshotOptions) (*Snapshot, *Report, error) {
	c := collection{uri: src.URI(), options: o.withDefaults()}
	c.near.most = c.options.MaxPrints
	if reading, ok := readingOf(src); ok {
		c.layouts = newLayouts(reading)
	}
	if err := c.readAll(ctx, src); err != nil {
		return nil, nil, fmt.Errorf("snapshot of %s: %w", c.uri, err)
	}
	snapshot, report, err := c.conclude(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot of %s: %w", c.uri, err)
	}
	if told, ok := src.(interface{ Notes() []string }); ok {
		report.Notes = told.Notes()
	}
	if err := report.lookForUnlisted(ctx, src, snapshot); err != nil {
		return nil, nil, fmt.Errorf("snapshot of %s: %w", c.uri, err)
	}
	if len(snapshot.Entries) == 0 {
		if n := len(report.Quarantined); n > 0 {
			return nil, report, report.Explain(fmt.Errorf("%w in %s: all %d files are quarantined, the first is %s", ErrNoExamples, c.uri, n, report.Quarantined[0]))
		}
		return nil, report, fmt.Errorf("%w in %s: put the images in one folder per class", ErrNoExamples, c.uri)
	}
	return snapshot, report, nil
}

// job is an example passed through the workers.
type job struct {
	example Example
	found   finding
	done    chan struct{} // closed when found is set
}

// collection collects the findings in the order of the listing.
type collection struct {
	uri     string
	options SnapshotOptions

	entries     gathering
	last        string // previous key
	key         []byte // of the entry being added
	count       int    // examples so far
	bytes       int64
	quarantined []Quarantined
	misnamed    []Misnamed
	measured    measuring
	details     Details
	near        nearFinder
	differences []ListDifference
	layouts     *layouts // nil if the source does not describe how it interprets names
}

// readAll runs the listing, the workers and the collection concurrently. Jobs
// pass through a queue in listing order as well as through the workers'
// channel, which bounds how far the listing runs ahead.
func (c *collection) readAll(ctx context.Context, src Source) error {
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan *job)
	order := make(chan *job, 16*c.options.Workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return guard.Call(func() error { return list(ctx, src, work, order) })
	})
	r := newReader(c.options)
	for range c.options.Workers {
		g.Go(func() error {
			own := make([]byte, min(keptBytes, r.maxBytes+1))
			for j := range work {
				var err error
				if j.found, err = r.guarded(ctx, j.example, own); err != nil {
					return err
				}
				close(j.done)
			}
			return nil
		})
	}
	g.Go(func() error {
		for j := range order {
			select {
			case <-j.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := c.add(j); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func list(ctx context.Context, src Source, work, order chan<- *job) error {
	for example, err := range src.Examples(ctx) {
		if err != nil {
			return err
		}
		j := &job{example: example, done: make(chan struct{})}
		for _, to := range []chan<- *job{order, work} {
			select {
			case to <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return ctx.Err()
}

// add processes the next job of the listing.
func (c *collection) add(j *job) error {
	key := j.example.Key
	if key == "" {
		return errors.New("the source lists an example without a key")
	}
	if c.count > 0 {
		if err := ascending(c.last, key); err != nil {
			return fmt.Errorf("the source lists out of order: %w", err)
		}
	}
	if err := checkSplit(key, j.example.Split); err != nil {
		return fmt.Errorf("the source's example %w", err)
	}
	c.last = key
	c.count++
	c.bytes += j.found.entry.Size
	if c.layouts != nil {
		c.layouts.add(&j.example)
	}
	if q := j.found.quarantined; q != nil {
		q.Key, q.Label = strings.ToValidUTF8(key, "\uFFFD"), strings.ToValidUTF8(j.example.Label, "\uFFFD")
		c.quarantined = append(c.quarantined, *q)
		if m := j.found.mismatch; m != nil {
			c.differences = counted(c.differences, m)
		}
	} else {
		e := j.found.entry
		e.Key, e.Label, e.Group, e.Split = key, j.example.Label, j.example.Group, j.example.Split
		if c.comparesImages() {
			c.near.add(c.entries.count, &j.found)
		}
		c.key = append(c.key[:0], key...)
		c.entries.add(e, c.key)
		if j.found.width > 0 {
			c.measured.add(Measured{key, e.Size, j.found.width, j.found.height}, j.found.format)
			c.details.add(key, j.found.detail)
		}
		if ext, wrong := misnamed(key, j.found.format); wrong {
			c.misnamed = append(c.misnamed, Misnamed{Key: key, Extension: ext, Format: j.found.format})
		}
	}
	c.options.Progress(c.count, c.bytes)
	return nil
}

// looks reports whether images are examined by Look.
func (c *collection) comparesImages() bool { return c.options.Look != nil && !c.options.AnyFile }

// conclude assembles the entries, removes the conflicts and reports.
func (c *collection) conclude(ctx context.Context) (*Snapshot, *Report, error) {
	compared := c.near.prints.Len()
	groups, complete, err := c.near.groups(ctx) // prints and entries are not in memory at the same time
	if err != nil {
		return nil, nil, err
	}
	// The sizes first: their figures are not needed any more when the entries
	// take the most memory.
	r := &Report{URI: c.uri, Quarantined: c.quarantined, Misnamed: c.misnamed, Sizes: c.measured.sizes()}
	c.measured = measuring{}
	if c.details.Images > 0 {
		details := c.details
		details.Decode = c.options.Decode
		r.Details = &details
	}
	entries := c.entries.list()
	out := make(map[int]bool)
	order := byContent(entries)
	for len(order) > 0 {
		n := 1
		for n < len(order) && entries[order[n]].SHA256 == entries[order[0]].SHA256 {
			n++
		}
		if n > 1 {
			r.identical(entries, order[:n], out)
		}
		order = order[n:]
	}
	if c.comparesImages() {
		r.Near = c.near.name(groups, entries, out)
		r.Near.Compared, r.Near.Incomplete = compared, !complete
	}
	if len(out) > 0 {
		kept, dropped := entries[:0], make(map[string]bool)
		for i, e := range entries {
			if out[i] {
				dropped[e.Key] = true
			} else {
				kept = append(kept, e)
			}
		}
		clear(entries[len(kept):])
		entries = kept
		r.Misnamed = slices.DeleteFunc(r.Misnamed, func(m Misnamed) bool { return dropped[m.Key] })
	}
	s := newSnapshot(c.uri, entries)
	r.folders = c.layouts != nil && c.layouts.reading.Folders
	r.sort()
	r.count(s)
	r.ListDifferences = c.differences
	if c.layouts != nil {
		r.Layout = c.layouts.judge(r.Classes)
	}
	return s, r, nil
}

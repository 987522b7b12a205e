package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"sync"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/datasets"
	"tkit/ingest/deadletter"
	"tkit/ingest/directory"
	"tkit/ingest/failure"
	"tkit/ingest/status"
)

func directorySpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Reads images from a folder as they arrive.").
		Description(`A file is read once it is completely written: its size, times and inode have not changed for a
while. Hidden files and symbolic links are ignored. A file counts as delivered when every output has it or it is a
dead letter; until then it stays where it is, and is read again after a restart.`).
		Field(service.NewStringField("path").Description("The folder, relative to the pipeline's file.")).
		Fields(watchFields("2s")...).
		Fields(
			service.NewBoolField("events").Description("Look at a file as soon as the system reports a change. Network file systems do not report the changes of other machines.").Default(true),
			service.NewStringField("archive").Description("The folder for delivered files if they are archived. It must be on the same file system.").Default(""),
		)
}

// watchFields are the fields of inputs that watch a folder.
func watchFields(settle string) []*service.ConfigField {
	return []*service.ConfigField{
		service.NewBoolField("subfolders").Description("Also read the folders in it.").Default(true),
		service.NewDurationField("settle").Description("How long a file must stay unchanged before it is read.").Default(settle),
		service.NewDurationField("poll").Description("The time between two complete readings of the folder.").Default("30s"),
		service.NewBoolField("follow").Description("Wait for new files. Otherwise the pipeline ends after the files that exist.").Default(true),
		service.NewIntField("max_bytes").Description("Larger files stay where they are, and become dead letters without their content.").Default(int(datasets.DefaultMaxBytes)),
		service.NewStringEnumField("after", string(directory.Keep), string(directory.Delete), string(directory.Archive)).
			Description("What happens to a delivered file.").Default(string(directory.Keep)),
	}
}

// A directoryInput is an input that watches a folder.
type directoryInput struct {
	run     *Run
	options directory.Options
	// open opens the store of the folder; nil is the local file system.
	open    func(ctx context.Context) (closingStore, error)
	store   closingStore
	place   string // what precedes the path of a file: hdfs://AUTHORITY, or ""
	watcher *directory.Watcher
	state   *watch // of what remembers the files that were delivered

	mu   sync.Mutex
	held int           // files that are delivered and not remembered
	free chan struct{} // closed when there is none; made for the first
}

type closingStore interface {
	directory.Store
	io.Closer
}

// newWatch returns an input with the fields of watchFields and archive.
func newWatch(f *fields, r *Run) (*directoryInput, error) {
	o := directory.Options{
		Subfolders: f.boolean("subfolders"), Settle: f.duration("settle"), Poll: f.duration("poll"),
		Follow: f.boolean("follow") && !r.Once, MaxBytes: int64(f.number("max_bytes")),
		After: directory.After(f.text("after")), Archive: f.text("archive"), Log: r.Log,
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case o.Settle <= 0 || o.Poll <= 0 || o.MaxBytes <= 0:
		return nil, errors.New("settle, poll and max_bytes must be positive")
	case o.After == directory.Archive && o.Archive == "":
		return nil, errors.New("archive is missing: name the folder for delivered files")
	}
	return &directoryInput{run: r, options: o, state: r.watch("the state of the input", "")}, nil
}

func newDirectory(c *service.ParsedConfig, r *Run) (service.Input, error) {
	f := fields{config: c}
	folder, events := f.text("path"), f.boolean("events")
	d, err := newWatch(&f, r)
	if err != nil {
		return nil, err
	}
	d.options.Folder, d.options.Events = r.Path(folder), events
	if d.options.Archive != "" {
		d.options.Archive = r.Path(d.options.Archive)
	}
	return d, nil
}

func (d *directoryInput) watchedBy(w *watch) {
	d.options.Scanned = func(err error) { w.sawAny(context.Background(), time.Now(), err) }
}

func (d *directoryInput) Connect(ctx context.Context) (err error) {
	if d.options.Ledger, err = d.run.openLedger(ctx); err != nil {
		d.run.Fail(err)
		return service.ErrEndOfInput
	}
	if d.open != nil && d.store == nil {
		if d.store, err = d.open(ctx); err != nil {
			return d.failed(err)
		}
		d.options.Store = d.store
	}
	if d.watcher, err = directory.Open(ctx, d.options); err != nil {
		return d.failed(err)
	}
	d.run.Counters.addInput(d.watcher.Waiting)
	return nil
}

// failed returns an error after which the engine tries again, if the store is down.
// Otherwise it ends the run.
func (d *directoryInput) failed(err error) error {
	if d.run.unlessDown(err) {
		return err
	}
	return service.ErrEndOfInput
}

func (d *directoryInput) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	for {
		if err := d.wait(ctx); err != nil {
			return nil, nil, err
		}
		f, err := d.watcher.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil, service.ErrEndOfInput
		case err != nil && ctx.Err() == nil:
			d.run.Fail(err)
			return nil, nil, service.ErrEndOfInput
		case err != nil:
			return nil, nil, err
		case f.Refused != nil:
			d.bury(ctx, f)
			continue
		}
		sum := sha256.Sum256(f.Content)
		m := service.NewMessage(f.Content)
		for key, value := range metadataOf(f) {
			m.MetaSetMut(key, value)
		}
		m.MetaSetMut(metaSHA256, hex.EncodeToString(sum[:]))
		return m, func(ctx context.Context, err error) error { return d.answered(ctx, f, err) }, nil
	}
}

// metadataOf returns what is known about a file without its content.
func metadataOf(f *directory.File) map[string]any {
	return map[string]any{metaSource: f.Path, metaSize: int(f.Size), metaModified: f.Modified.UTC().Format(time.RFC3339Nano)}
}

// bury makes a dead letter of a file that cannot be read. The file stays where it is.
func (d *directoryInput) bury(ctx context.Context, f *directory.File) {
	letter := deadletter.Letter{
		Source: f.Path, File: d.location(f), Size: f.Size, Stage: "input", Cause: f.Refused.Error(), Attempts: 1, Time: time.Now().UTC(),
		Metadata: metadataOf(f),
	}
	err := d.run.Letters.Put(ctx, letter, nil)
	if err == nil {
		err = d.remember(ctx, func() error { return f.Delivered(ctx) })
	}
	if err != nil {
		d.run.Log.Error("a dead letter cannot be written; it is tried again", "source", f.Path, "error", err)
		f.Release()
		return
	}
	d.run.Log.Warn("dead letter", "source", f.Path, "stage", letter.Stage, "cause", letter.Cause, "attempts", 1)
	d.run.Counters.Read.Add(1)
	d.run.Counters.Failed.Add(1)
	d.run.Counters.Dead.Add(1)
	d.run.Counters.LastFailure.Store(&status.Failure{Time: letter.Time, Source: f.Path, Stage: letter.Stage, Cause: letter.Cause})
}

// location returns where a file is.
func (d *directoryInput) location(f *directory.File) string {
	return d.place + path.Join(d.options.Folder, f.Path)
}

// answered ends the reading of a file: it was delivered, or is read again.
func (d *directoryInput) answered(ctx context.Context, f *directory.File, err error) error {
	if err != nil {
		f.Release()
		return nil
	}
	err = d.remember(ctx, func() error { return errors.Join(f.Delivered(ctx), d.run.Letters.Forget(f.Path, d.location(f))) })
	if err != nil {
		f.Release()
	}
	return err
}

// remember repeats what remembers that a file was delivered, until it succeeds. When the
// run stops it tries once more. While a disk is full, such files hold back the others;
// released, they would be delivered again and again.
func (d *directoryInput) remember(ctx context.Context, attempt func() error) error {
	began := time.Now()
	err := attempt()
	d.state.sawAny(ctx, began, err)
	if err == nil {
		return nil
	}
	d.hold(1)
	defer d.hold(-1)
	for attempts := 1; err != nil; attempts++ {
		timer := time.NewTimer(failure.Delay(attempts))
		select {
		case <-timer.C:
		case <-d.run.Stopped:
			timer.Stop()
			return attempt()
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		began = time.Now()
		err = attempt()
		d.state.sawAny(ctx, began, err)
	}
	return nil
}

// hold changes the number of files that are delivered and not remembered.
func (d *directoryInput) hold(change int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == 0 {
		d.free = make(chan struct{})
	}
	if d.held += change; d.held == 0 {
		close(d.free)
	}
}

// wait waits until all files that are delivered are remembered.
func (d *directoryInput) wait(ctx context.Context) error {
	d.mu.Lock()
	held, free := d.held, d.free
	d.mu.Unlock()
	if held == 0 {
		return nil
	}
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *directoryInput) Close(context.Context) error {
	if d.watcher != nil {
		d.watcher.Close()
	}
	if d.store != nil {
		return d.store.Close()
	}
	return nil
}

// PlaceOf returns the folder of an input that watches one, as a path or URI, and "" for
// other components. The configuration is given as YAML, with the component's name, and
// paths are relative to a folder.
func PlaceOf(kind, name, config, folder string) (string, error) {
	watches := own[kind][name]
	if kind != "input" || name != directoryName && name != hdfsName {
		return "", nil
	}
	c, err := parseConfig(name, watches.spec(), config)
	if err != nil {
		return "", err
	}
	f := fields{config: c}
	if name == directoryName {
		return (&Run{Folder: folder}).Path(f.text("path")), f.err
	}
	hdfs := hdfsPath(&f)
	return "hdfs://" + hdfs.Client.Authority + hdfs.Root, f.err
}

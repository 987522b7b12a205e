package components

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/warpstreamlabs/bento/public/service"

	source "tkit/datasets/hdfs"
	"tkit/ingest/hdfs"
	"tkit/ingest/sink"
	client "tkit/internal/hdfs"
)

// hdfsStage is the stage of the failures of tkit_hdfs.
const hdfsStage = "hdfs"

func hdfsOutputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes each image and its metadata into a folder of HDFS.").
		Description(`The files have the names and subfolders that tkit_folder gives them, so that each image is in the folder
exactly once, however often it is delivered. A file is written into the folder's subfolder .tkit-writing, closed, compared with
its length, and renamed; only then it counts as delivered. Files of killed pipelines in that subfolder are removed after a
day. While HDFS does not answer, images wait. A folder that the pipeline creates is private to its user; whoever may
enter it can read the files. The user, Kerberos and name services are those of hdfs.md; encryption zones and erasure
coding are refused.`).
		Fields(
			service.NewStringField("path").Description("The folder: hdfs://HOST:PORT/PATH, hdfs://NAMESERVICE/PATH, or hdfs:///PATH for the cluster of fs.defaultFS."),
		).
		Fields(fileOutputFields(16)...)
}

func newHDFSOutput(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := fields{config: c}
	config := hdfsPath(&f)
	return newFileOutput(&f, hdfsStage, func(ctx context.Context) (sink.Files, error) {
		s, err := hdfs.Open(ctx, config)
		if err != nil {
			r.unlessDown(err)
			return nil, err
		}
		return s, nil
	})
}

// hdfsPath returns the folder of HDFS that the field path names.
func hdfsPath(f *fields) source.Config {
	config, err := source.ParseConfig(f.text("path"))
	if f.err == nil {
		f.err = err
	}
	return config
}

// unlessDown reports whether an error of connecting says that HDFS is down, or that the
// run stops; then another attempt may succeed. Otherwise it ends the run.
func (r *Run) unlessDown(err error) bool {
	if errors.Is(err, client.ErrUnavailable) || errors.Is(err, context.Canceled) {
		return true
	}
	r.Fail(err)
	return false
}

func hdfsInputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Reads images from a folder of HDFS as they arrive.").
		Description(`A file is read once it is completely written: it is closed, and its size and time have not changed
for a while. Hidden files and those that programs of Hadoop will rename are ignored: names that end with ._COPYING_
or .tmp, and the folder _temporary. A file counts as delivered when every output has it or it is a dead letter; until then
it stays where it is, and is read again after a restart. Eight files are read at a time, which are together not larger than
max_bytes. The user, Kerberos and name services are those of hdfs.md.`).
		Field(service.NewStringField("path").Description("The folder: hdfs://HOST:PORT/PATH, hdfs://NAMESERVICE/PATH, or hdfs:///PATH for the cluster of fs.defaultFS.")).
		Fields(watchFields("10s")...).
		Field(service.NewStringField("archive").Description("The folder for delivered files if they are archived: an absolute path in the same cluster.").Default(""))
}

// hdfsReaders is the number of files that are read from HDFS at a time. A file takes some
// calls one after the other; more readers gain little.
const hdfsReaders = 8

func newHDFSInput(c *service.ParsedConfig, r *Run) (service.Input, error) {
	f := fields{config: c}
	config := hdfsPath(&f)
	d, err := newWatch(&f, r)
	if err != nil {
		return nil, err
	}
	if a := d.options.Archive; a != "" && !path.IsAbs(a) {
		return nil, fmt.Errorf("archive %s: it must be an absolute path in the cluster", a)
	}
	d.options.Readers = hdfsReaders
	d.options.Folder, d.place = config.Root, "hdfs://"+config.Client.Authority
	d.open = func(ctx context.Context) (closingStore, error) {
		s, err := hdfs.OpenSource(ctx, config)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return d, nil
}

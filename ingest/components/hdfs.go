package components

import (
	"context"
	"errors"

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
			return nil, r.unlessDown(err)
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

// unlessDown ends the run with an error of connecting to HDFS, unless HDFS is down: the
// engine then connects again.
func (r *Run) unlessDown(err error) error {
	if !errors.Is(err, client.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		r.Fail(err)
	}
	return err
}

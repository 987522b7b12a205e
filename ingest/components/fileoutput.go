package components

import (
	"context"
	"path"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/sink"
)

// fileOutputFields are the fields of outputs that write files.
func fileOutputFields(inFlight int) []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField("partition").Description("The subfolder for an image: a path of fixed parts and of {hash} (the first two digits of the SHA-256), {date}, {year}, {month}, {day} (when its file was last changed, in UTC), {label}, {model} and {source} (the folder of the source).").Default(sink.DefaultTemplate),
		service.NewOutputMaxInFlightField().Default(inFlight),
	}
}

// A fileSink gives each image its folder in a tree of files.
type fileSink struct {
	*sink.Sink
	template *sink.Template
}

func (s fileSink) Write(ctx context.Context, m *service.Message, i sink.Image) error {
	return s.Sink.Write(ctx, s.template.Folder(valuesOf(m, i.SHA256)), i)
}

// newFileOutput returns an output with the fields of its configuration.
func newFileOutput(f *fields, stage string, open func(ctx context.Context) (sink.Files, error)) (service.Output, int, error) {
	template, err := sink.ParseTemplate(f.text("partition"))
	if f.err == nil {
		f.err = err
	}
	return newImageOutput(f, stage, func(ctx context.Context) (imageSink, error) {
		files, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return fileSink{sink.New(files, template), template}, nil
	})
}

// valuesOf returns what the folder of an image depends on. Without the time of its file
// the date is that of the reading.
func valuesOf(m *service.Message, sum string) sink.Values {
	text := func(key string) string {
		value, _ := m.MetaGet(key)
		return value
	}
	v := sink.Values{SHA256: sum, Date: time.Now(), Label: text(metaLabel), Model: text(metaModel)}
	if modified, err := time.Parse(time.RFC3339Nano, text(metaModified)); err == nil {
		v.Date = modified
	}
	if folder := path.Dir(text(metaSource)); folder != "." && folder != "/" {
		v.Source = folder
	}
	return v
}

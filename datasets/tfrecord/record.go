package tfrecord

import (
	"fmt"
	"path"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/shards"
	"tkit/internal/preprocessing"
)

// record finds the image and its metadata in a tf.train.Example.
func (f *format) record(b []byte, labels *shards.Labels) (shards.Record, error) {
	features, err := parseExample(b)
	if err != nil {
		return shards.Record{}, fmt.Errorf("not a tf.train.Example: %w", err)
	}
	var r shards.Record
	r.Member = features.member()
	if err := f.label(&r, features, labels); err != nil {
		return r, err
	}
	if err := f.sides(&r, features); err != nil {
		return r, err
	}
	for _, name := range f.images {
		v, found := features[name]
		if !found {
			continue
		}
		if v.Kind != shards.Text || v.Count != 1 {
			r.Refused = fmt.Errorf("its feature %q is not one encoded image but %s", name, v)
			return r, nil
		}
		r.Place.From, r.Place.Size = int64(v.at), int64(len(v.FirstText()))
		return r, nil
	}
	r.Refused = fmt.Errorf("it has no feature %s, only %s: choose the encoded image with the option image=%s",
		strings.Join(f.images, " or "), features.fields(), features.fields().Image(isImage))
	return r, nil
}

// label sets the label from the first feature with one.
func (f *format) label(r *shards.Record, features features, labels *shards.Labels) error {
	for _, name := range f.labels {
		if err := labels.Read(r, fmt.Sprintf("its feature %q", name), features[name].Values); err != nil {
			return err
		}
		if r.Label != "" || r.Refused != nil {
			r.Unlabelled = ""
			return nil
		}
	}
	if r.Unlabelled == "" {
		r.Unlabelled = fmt.Sprintf("it has no label in a feature %s, only %s: choose the label with the option label=%s",
			strings.Join(f.labels, " or "), features.fields(), features.fields().Label())
	}
	return nil
}

// sides sets the group and the side of a split.
func (f *format) sides(r *shards.Record, features features) error {
	for _, side := range []struct {
		option, name string
		into         *string
	}{{"group", f.config.Group, &r.Group}, {"split", f.config.Split, &r.Split}} {
		if side.name == "" {
			continue
		}
		v := features[side.name].Values
		if v.Empty() {
			r.Note = fmt.Sprintf("there are records without the feature %q, given by the option %s", side.name, side.option)
			continue
		}
		one, err := v.One()
		if err != nil {
			r.Refused = fmt.Errorf("its feature %q: %w", side.name, err)
			return nil
		}
		*side.into = one
	}
	if r.Split != "" {
		split, ok := datasets.ParseSplit(r.Split)
		if !ok {
			return fmt.Errorf("its feature %q is %q: want train, validation or test", f.config.Split, r.Split)
		}
		r.Split = split
	}
	return nil
}

// isImage reports whether values are one encoded image.
func isImage(v shards.Values) bool {
	if v.Kind != shards.Text || v.Count != 1 {
		return false
	}
	_, _, _, err := preprocessing.Sniff(v.FirstText())
	return err == nil
}

// fields returns the features, for errors.
func (f features) fields() shards.Fields {
	fields := make(shards.Fields, len(f))
	for name, v := range f {
		fields[name] = v.Values
	}
	return fields
}

// member returns the image's file name before it was packed.
func (f features) member() string {
	for _, name := range []string{"image/filename", "filename", "file_name", "image/source_id"} {
		if one, err := f[name].One(); err == nil {
			if member := memberOf(one); member != "" {
				return member
			}
		}
	}
	return ""
}

// memberOf returns a file's name before it was packed: its path, or the last
// element of a path that is invalid in a dataset, such as an absolute one.
func memberOf(name string) string {
	if files.CheckPath(name) != nil {
		name = path.Base(name)
	}
	if files.CheckPath(name) != nil {
		return ""
	}
	return name
}

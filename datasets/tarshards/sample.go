package tarshards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"tkit/datasets"
	"tkit/datasets/shards"
)

// member is a part of a sample.
type member struct {
	name   string
	place  shards.Place
	is     role
	labels labels // where it tells them
}

// role is what a member is for. Of those that tell a label the first counts.
type role int

const (
	other role = iota
	image
	class
	object
	text
)

// labels is what a member says of a sample.
type labels struct{ label, group, split string }

// maxText bounds a member that tells a label, in bytes.
const maxText = 1 << 20

func roleOf(name string) role {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".heic", ".avif", ".img":
		return image
	case ".cls":
		return class
	case ".json":
		return object
	case ".txt":
		return text
	}
	return other
}

// parse reads what a member of this role says.
func (r role) parse(b []byte) (labels, error) {
	if r != object {
		return labels{label: string(bytes.TrimSpace(b))}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return labels{}, fmt.Errorf("no JSON object: %w", err)
	}
	var l labels
	for _, f := range []struct {
		name string
		into *string
	}{{"label", &l.label}, {"class", &l.label}, {"cls", &l.label}, {"group", &l.group}, {"split", &l.split}} {
		value, found := fields[f.name]
		if !found || *f.into != "" {
			continue
		}
		var err error
		if *f.into, err = scalar(value); err != nil {
			return labels{}, fmt.Errorf("its field %q: %w", f.name, err)
		}
	}
	if l.split != "" {
		split, ok := datasets.ParseSplit(l.split)
		if !ok {
			return labels{}, fmt.Errorf("its field \"split\" is %q: want train, validation or test", l.split)
		}
		l.split = split
	}
	return l, nil
}

// scalar is a text or a number as it is written.
func scalar(value json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(value, &s); err == nil {
		return s, nil
	}
	var n json.Number
	if err := json.Unmarshal(value, &n); err != nil {
		return "", errors.New("neither a text nor a number")
	}
	return n.String(), nil
}

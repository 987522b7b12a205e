package tarshards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"tkit/datasets/shards"
)

// member is a part of a sample.
type member struct {
	name  string
	place shards.Place
	is    role
	told  told // for a member with a label
}

// parts returns the name up to the first dot of its last element, and the rest.
func (m member) parts() (key, extension string) {
	folder, base := path.Split(m.name)
	base, extension, _ = strings.Cut(base, ".")
	return folder + base, extension
}

// stem returns the name up to the last dot.
func (m member) stem() string { return strings.TrimSuffix(m.name, path.Ext(m.name)) }

// extension returns the part after the first dot, in lower case, as in the
// webdataset library.
func (m member) extension() string {
	_, extension := m.parts()
	return strings.ToLower(extension)
}

// role is the purpose of a member. For labels the first role present is used.
type role int

const (
	other role = iota
	image
	class
	object
	text
)

// roleOf determines the role by the extension, unless an option names the
// member.
func (f format) roleOf(m member) role {
	extension := m.extension()
	if f.label != "" && extension == strings.ToLower(f.label) && extension != "json" {
		return class
	}
	is := other
	switch strings.ToLower(path.Ext(m.name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".heic", ".avif", ".img":
		is = image
	case ".cls":
		is = class
	case ".json":
		is = object
	case ".txt":
		is = text
	}
	switch {
	case f.image == "":
	case extension == f.image:
		return image
	case is == image:
		return other
	}
	return is
}

// told is the content of a member with metadata.
type told struct {
	values       shards.Values // the label's
	what         string        // a description of the values
	refused      error         // why the label is invalid
	group, split shards.Values
	wrong        error         // why the group or the side is invalid
	fields       shards.Fields // of an object
}

// maxText bounds a member with a label, in bytes.
const maxText = 1 << 20

// parse parses a member with metadata. An error concerns the whole shard.
func (f format) parse(m member, b []byte) (told, error) {
	if m.is == object {
		return f.parseObject(m, b)
	}
	return told{what: fmt.Sprintf("its member .%s", shards.Short(m.extension())), values: parseText(b)}, nil
}

// parseText parses a text as one name; or as several, one per line; or as a
// list of numbers, such as a one-hot list.
func parseText(b []byte) (v shards.Values) {
	b = bytes.TrimSpace(b)
	if numbers, ok := parseNumbers(b); ok {
		return numbers
	}
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			v.AddText(line)
		}
	}
	return v
}

// parseNumbers parses two or more numbers, separated by blanks or commas, with
// or without brackets.
func parseNumbers(b []byte) (v shards.Values, ok bool) {
	b = bytes.TrimSuffix(bytes.TrimPrefix(b, []byte("[")), []byte("]"))
	var numbers []float64
	whole := true
	for word := range bytes.FieldsFuncSeq(b, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		n, err := strconv.ParseFloat(string(word), 64)
		if err != nil {
			return v, false
		}
		whole = whole && !bytes.ContainsAny(word, ".eEnN") && math.Abs(n) < 1<<53
		numbers = append(numbers, n)
	}
	if len(numbers) < 2 {
		return v, false
	}
	for _, n := range numbers {
		if whole {
			v.AddInteger(int64(n))
		} else {
			v.AddFloat(n)
		}
	}
	return v, true
}

// labelFields are the default fields with a label. The first one present is
// used.
var labelFields = []string{"label", "class", "cls"}

func (f format) parseObject(m member, b []byte) (told, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(b, &object); err != nil {
		return told{}, fmt.Errorf("not a JSON object: %w", err)
	}
	t := told{fields: make(shards.Fields, len(object))}
	for name, value := range object {
		t.fields[name], _ = parseValues(value)
	}
	names := labelFields
	if _, found := object[f.label]; found || f.label != "" && strings.ToLower(f.label) != m.extension() {
		names = []string{f.label}
	}
	for _, name := range names {
		value, found := object[name]
		if !found || string(value) == "null" {
			continue
		}
		t.what = fmt.Sprintf("the field %q of its member .%s", name, shards.Short(m.extension()))
		var err error
		if t.values, err = parseValues(value); err != nil {
			t.refused = fmt.Errorf("%s: %w", t.what, err)
		}
		if !t.values.Empty() || t.refused != nil {
			break
		}
	}
	t.group, t.split = t.fields["group"], t.fields["split"]
	for _, name := range []string{"group", "split"} {
		if _, err := parseValues(object[name]); err != nil {
			t.wrong = fmt.Errorf("the field %q of its member .%s: %w", name, shards.Short(m.extension()), err)
		}
	}
	return t, nil
}

// parseValues parses a text, a number, a boolean, or a list of them.
func parseValues(value json.RawMessage) (v shards.Values, err error) {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	for _, item := range list {
		if err := addValue(&v, bytes.TrimSpace(item)); err != nil {
			return shards.Values{}, err
		}
	}
	return v, nil
}

func addValue(v *shards.Values, item json.RawMessage) error {
	if len(item) == 0 || string(item) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(item, &s) == nil {
		v.AddText([]byte(s))
		return nil
	}
	switch item[0] {
	case '{', '[':
		return fmt.Errorf("it is neither a string nor a number")
	case 't', 'f':
		v.AddText(item)
		return nil
	}
	if n, err := strconv.ParseInt(string(item), 10, 64); err == nil {
		v.AddInteger(n)
		return nil
	}
	n, err := strconv.ParseFloat(string(item), 64)
	if err != nil {
		return err
	}
	v.AddFloat(n)
	return nil
}

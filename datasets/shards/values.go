package shards

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is the type of a record's values.
type Kind int

// The kinds of values.
const (
	None Kind = iota
	Text
	Integer
	Float
)

// Values summarises a list of values of one kind that a record has as its
// label. It keeps the first and what is needed of the others, however many
// there are.
type Values struct {
	Kind  Kind
	Count int

	text     []byte  // the first text; not copied
	integer  int64   // the first integer
	float    float64 // the first float
	differ   bool    // whether another one differs from the first
	ones     int     // number of ones
	zeros    int     // number of zeros
	position int     // of the last one
}

// AddText adds a text without copying it.
func (v *Values) AddText(text []byte) {
	v.add(Text, !bytes.Equal(text, v.text))
	if v.Count == 1 {
		v.text = text
	}
}

// FirstText returns the first text, or nil.
func (v Values) FirstText() []byte { return v.text }

// AddInteger adds an integer.
func (v *Values) AddInteger(n int64) {
	v.add(Integer, n != v.integer)
	if v.Count == 1 {
		v.integer = n
	}
	v.mark(n == 0, n == 1)
}

// AddFloat adds a floating-point number.
func (v *Values) AddFloat(f float64) {
	v.add(Float, f != v.float)
	if v.Count == 1 {
		v.float = f
	}
	v.mark(f == 0, f == 1)
}

func (v *Values) add(k Kind, differs bool) {
	if k != v.Kind {
		*v = Values{Kind: k}
	}
	v.Count++
	v.differ = v.differ || v.Count > 1 && differs
}

func (v *Values) mark(zero, one bool) {
	if zero {
		v.zeros++
	}
	if one {
		v.ones++
		v.position = v.Count - 1
	}
}

// String returns the number and the kind of the values, such as "3 integers".
func (v Values) String() string {
	what := map[Kind]string{None: "empty", Text: "text", Integer: "integer", Float: "number"}[v.Kind]
	switch v.Count {
	case 0:
		return "empty"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", v.Count, what)
}

// Empty reports whether there is no value, or only an empty text.
func (v Values) Empty() bool {
	return v.Count == 0 || v.Count == 1 && v.Kind == Text && len(v.text) == 0
}

// One returns the value as the name of a class if there is only one or all are
// equal: a text, or an integer from 0 on. It returns an error if the values
// name no class or several.
func (v Values) One() (string, error) {
	switch {
	case v.Count == 0:
		return "", errors.New("it is empty")
	case v.differ:
		return "", fmt.Errorf("it has %s, which differ, but an image has one class", v)
	case v.Kind == Text:
		return string(v.text), checkText(string(v.text))
	case v.Kind == Integer && v.integer < 0:
		return "", fmt.Errorf("%d is not a class: classes are counted from 0", v.integer)
	case v.Kind == Integer:
		return strconv.FormatInt(v.integer, 10), nil
	case v.float < 0 || v.float != math.Trunc(v.float) || v.float >= 1<<53: // or NaN
		return "", fmt.Errorf("the number %v is not a class: a class is a text or an integer from 0 on", v.float)
	}
	return strconv.FormatInt(int64(v.float), 10), nil
}

// checkText returns why a text cannot be the name of a class.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("its %d bytes are not valid UTF-8", len(s))
	}
	if at := strings.IndexFunc(s, unicode.IsControl); at >= 0 {
		return fmt.Errorf("its %d bytes are not a name: they contain the control character %U at %d", len(s), []rune(s[at:])[0], at)
	}
	return nil
}

// oneHot reports whether the values are zeros and ones, as many as there are
// classes.
func (v Values) oneHot() bool {
	return v.Kind != Text && v.Count > 1 && v.ones+v.zeros == v.Count
}

// Labels interprets the labels of one shard. A label is one value, or a one-hot
// list: as many numbers as there are classes, all 0 except a 1 at the index of
// the class. Values that name no class or several are refused; no single value
// of them is picked.
type Labels struct {
	length int // of the lists read: 1 if they are not one-hot lists
}

// Read sets the label of a record, or why it has none. what describes the
// values. An error concerns the whole shard: the lists read before were not
// one-hot lists.
func (l *Labels) Read(r *Record, what string, v Values) error {
	if v.Empty() {
		return nil
	}
	if l.length > 1 && v.Count != l.length {
		return fmt.Errorf("%s is a list of %d zeros and ones in other records, but has %s here: write one class for each image", what, l.length, v)
	}
	if v.oneHot() {
		l.readList(r, what, v)
		return nil
	}
	if v.Kind == Integer && v.integer < 0 && v.Count == 1 { // the convention of TensorFlow datasets for images without a label
		r.Unlabelled = fmt.Sprintf("%s is %d, which is not a class", what, v.integer)
		return nil
	}
	label, err := v.One()
	if err != nil {
		r.Refused = fmt.Errorf("%s: %w", what, err)
		return nil
	}
	r.Label = label
	l.length = max(l.length, 1)
	if v.Kind == Float {
		r.Note = fmt.Sprintf("%s is a number such as %d.0: its integer part is the class", what, int64(v.float))
	}
	return nil
}

// readList interprets a list of zeros and ones.
func (l *Labels) readList(r *Record, what string, v Values) {
	switch {
	case v.ones == 0:
		r.Refused = fmt.Errorf("%s is a list of %s without a 1, which is not a class", what, v)
	case v.ones > 1:
		r.Refused = fmt.Errorf("%s is a list of %s with %d ones: a one-hot list has only one", what, v, v.ones)
	case l.length == 1:
		r.Refused = fmt.Errorf("%s has %s, but is one class in other records", what, v)
	default:
		l.length = v.Count
		r.Label = strconv.Itoa(v.position)
		r.Note = fmt.Sprintf("%s is a one-hot list of %s: the index of the 1, counted from 0, is the class", what, v)
	}
}

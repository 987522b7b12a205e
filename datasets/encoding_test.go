package datasets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

func encode(t testing.TB, s *datasets.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSnapshotRoundTrip(t *testing.T) {
	odd := snapshotOf(t, []datasets.Entry{
		{Key: "a/\n\"<&>\u2028.png", Label: "a\t", Size: 1},
		{Key: "猫/" + strings.Repeat("long", 40_000), Label: "猫", Size: 1 << 62},
	})
	split := images(t, "a 1 - train", "b 2 猫 test", "b 3 - -")
	for _, s := range []*datasets.Snapshot{synthetic(t, 3, 50), odd, snapshotOf(t, nil), grouped(t, 4000), split} {
		b := encode(t, s)
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b))} {
			got, err := datasets.DecodeSnapshot(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Digest != s.Digest || got.URI != s.URI || fmt.Sprint(got.Entries) != fmt.Sprint(s.Entries) {
				t.Error("it came back changed")
			}
			if !bytes.Equal(encode(t, got), b) {
				t.Error("it encodes differently again")
			}
		}
	}
}

func TestSnapshotDigest(t *testing.T) {
	base := datasets.Entry{Key: "a/b", Label: "a", Size: 3}
	const want = "sha256:d628f5b96074fafb5ec6de41399e2cafd2411d17142bc6b20b9049280f48e976"
	if got := snapshotOf(t, []datasets.Entry{base}).Digest; got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
	for name, change := range map[string]func(*datasets.Entry){
		"key":      func(e *datasets.Entry) { e.Key = "a/c" },
		"label":    func(e *datasets.Entry) { e.Label = "b" },
		"size":     func(e *datasets.Entry) { e.Size = 4 },
		"hash":     func(e *datasets.Entry) { e.SHA256[31] = 1 },
		"boundary": func(e *datasets.Entry) { e.Key, e.Label = "a/", "ba" },
		"group":    func(e *datasets.Entry) { e.Group = "g" },
		"split":    func(e *datasets.Entry) { e.Split = datasets.Train },
	} {
		e := base
		change(&e)
		if snapshotOf(t, []datasets.Entry{e}).Digest == want {
			t.Errorf("another %s has the same digest", name)
		}
	}
}

func TestNewSnapshotErrors(t *testing.T) {
	for want, entries := range map[string][]datasets.Entry{
		"no key":        {{Label: "a"}},
		"has no label":  {{Key: "a"}},
		"UTF-8":         {{Key: "a\xff", Label: "a"}},
		"has the size":  {{Key: "a", Label: "a", Size: -1}},
		"appears twice": {{Key: "a", Label: "a"}, {Key: "a", Label: "a"}},
		"ascending":     {{Key: "b", Label: "a"}, {Key: "a", Label: "a"}},
		"the split":     {{Key: "a", Label: "a", Split: "training"}},
		"or group":      {{Key: "a", Label: "a", Group: "\xff"}},
	} {
		if _, err := datasets.NewSnapshot("x", entries); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A file that was cut, changed or extended anywhere is refused.
func TestSnapshotDamaged(t *testing.T) {
	for _, b := range [][]byte{encode(t, synthetic(t, 2, 3)), encode(t, grouped(t, 1))} {
		damaged(t, b)
	}
	b := encode(t, synthetic(t, 2, 3))
	lines := bytes.SplitAfter(b, []byte("\n"))
	header := string(lines[0])
	replace := func(old, with string) []byte { return []byte(strings.Replace(string(b), old, with, 1)) }
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":         {nil, "the file is empty"},
		"a line removed":  {bytes.Join(append(lines[:2:2], lines[3:]...), nil), "5 entries instead of 6"},
		"a line repeated": {append(bytes.Clone(b), lines[6]...), "7 entries instead of 6"},
		"lines swapped":   {bytes.Join([][]byte{lines[0], lines[2], lines[1], lines[3], lines[4], lines[5], lines[6]}, nil), "ascending"},
		"another format":  {replace("tkit-snapshot", "snapshot"), `its format is "snapshot"`},
		"a later version": {replace(`"version":1`, `"version":3`), "reads versions 1 to 2"},
		"claims groups":   {replace(`"version":1`, `"version":2`), "claims version 2"},
		"a group added":   {replace(`"}`+"\n{", `","group":"g"}`+"\n{"), "line 1"},
		"negative count":  {replace(`"entries":6`, `"entries":-6`), "-6 entries"},
		"huge count":      {replace(`"entries":6`, `"entries":9000000000`), "6 entries instead of 9000000000"},
		"other digest":    {replace("sha256:", "sha256:0"), "the file was changed"},
		"unknown member":  {replace(`"size"`, `"length"`), "line 2"},
		"upper-case hash": {[]byte(header + `{"key":"a","label":"a","size":1,"sha256":"` + strings.Repeat("A", 64) + "\"}\n"), "lower-case"},
		"short hash":      {[]byte(header + `{"key":"a","label":"a","size":1,"sha256":"00"}` + "\n"), "64"},
		"odd hash":        {[]byte(header + `{"key":"a","label":"a","size":1,"sha256":"` + strings.Repeat("g", 64) + "\"}\n"), "sha256"},
		"two in a line":   {[]byte(header + "{} {}\n"), "more than one"},
		"endless line":    {[]byte(header + strings.Repeat(" ", 3<<20) + "\n"), "longer than"},
	} {
		if _, err := datasets.DecodeSnapshot(bytes.NewReader(c.b)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	broken := errors.New("disk")
	if _, err := datasets.DecodeSnapshot(io.MultiReader(strings.NewReader(header), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	if err := synthetic(t, 1, 1).Encode(full{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that fails: %v", err)
	}
}

// damaged cuts b anywhere and changes every byte of it.
func damaged(t *testing.T, b []byte) {
	t.Helper()
	for n := range b {
		if _, err := datasets.DecodeSnapshot(bytes.NewReader(b[:n])); err == nil {
			t.Errorf("cut to %d of %d bytes it is read", n, len(b))
		}
	}
	for n := range b {
		changed := bytes.Clone(b)
		changed[n] ^= 1
		s, err := datasets.DecodeSnapshot(bytes.NewReader(changed))
		// The digest covers everything except the URI.
		if err == nil && s.URI == "memory://test" {
			t.Errorf("with byte %d (%q) changed to %q it is read", n, b[n], changed[n])
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func FuzzDecodeSnapshot(f *testing.F) {
	for _, s := range []*datasets.Snapshot{synthetic(f, 2, 3), synthetic(f, 1, 1), snapshotOf(f, nil), grouped(f, 2)} {
		f.Add(encode(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		s, err := datasets.DecodeSnapshot(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := datasets.DecodeSnapshot(bytes.NewReader(encode(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		if again.Digest != s.Digest {
			t.Fatal("it came back as another")
		}
	})
}

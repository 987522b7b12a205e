package registry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/registry"
)

// text and failing are values that encode themselves.
type text string

func (s text) Encode(w io.Writer) error { _, err := io.WriteString(w, string(s)); return err }

type failing struct{ err error }

func (f failing) Encode(w io.Writer) error { io.WriteString(w, "half of it"); return f.err }

// TestManifestForm compares the stored form with a file: manifests are kept for
// ever, so a name in them must never change.
func TestManifestForm(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden = bytes.TrimSpace(golden)
	m, err := registry.DecodeManifest(golden)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, golden) {
		t.Errorf("read and written it is\n%s\nwant\n%s", again, golden)
	}
	n := registration("flowers", "head")
	n.Manifest.Metrics = nil // their form is defined by internal/evaluation
	v, err := open(t, t.TempDir()).Register(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	fresh := *v.Manifest
	fresh.Created = m.Created
	if now, err := fresh.Encode(); err != nil || !bytes.Equal(now, golden) {
		t.Errorf("a version registered now has the manifest\n%s, %v; want\n%s", now, err, golden)
	}
}

func TestDecodeManifestRefuses(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"a key of the future":    {`"format":1`, `"format":1,"quantised":true`, "quantised"},
		"a format of the future": {`"format":1`, `"format":2`, "format is 2"},
		"a step of the future":   {`{"decode":`, `{"rotate":{}},{"decode":`, "rotate"},
		"a bad digest":           {`"sha256:bbbb`, `"sha256:BBBB`, "digest"},
		"an empty trunk":         {`"trunk":{"digest":"sha256:`, `"trunk":{"digest":"","was":"`, "manifest"},
		"no version":             {`"version":1`, `"version":0`, "version"},
		"a bad name":             {`"model":"flowers"`, `"model":"Flowers"`, "Flowers"},
		"text behind":            {`"version":1}`, `"version":1} {}`, "after"},
		"a torn file":            {`"version":1}`, `"versi`, "manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(string(golden), c.old) {
				t.Fatalf("the golden manifest has no %s", c.old)
			}
			_, err := registry.DecodeManifest([]byte(strings.Replace(string(golden), c.old, c.new, 1)))
			if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("DecodeManifest: %v, want ErrInvalid and %q", err, c.want)
			}
		})
	}
}

func FuzzDecodeManifest(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`{"format":1,"labels":null,"lineage":{"seed":-1}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		m, err := registry.DecodeManifest(b)
		if err != nil {
			return
		}
		one, err := m.Encode()
		if err != nil {
			t.Fatalf("%s cannot be written again: %v", b, err)
		}
		if !json.Valid(one) {
			t.Fatalf("%s is no JSON", one)
		}
		again, err := registry.DecodeManifest(one)
		if err != nil {
			t.Fatalf("%s cannot be read again: %v", one, err)
		}
		if two, err := again.Encode(); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("written twice it is\n%s\n%s\n%v", one, two, err)
		}
	})
}

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestTreeAsTar(t *testing.T) {
	source := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(source, []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := tree{}
	files.add("b/text", "words")
	files.link("b/link", "text")
	files.folder("tmp", file{mode: 0o777 | fs.ModeSticky, owner: 7})
	if err := files.copy("a/b/tool", source); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1700000000, 0)
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := compress(out, files.below("top"), 6, when); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same tree gives different archives")
	}
	var plain bytes.Buffer
	if err := files.writeTar(&plain, when); err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(&plain); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(when) || h.Uid != files[filepath.Clean(h.Name)].owner {
			t.Errorf("%+v", h)
		}
		names = append(names, h.Name)
		if want := map[string]int64{"tmp/": 0o1777, "a/b/tool": 0o755, "b/text": 0o644, "a/": 0o755}[h.Name]; want != 0 && h.Mode != want {
			t.Errorf("%s has mode %o, want %o", h.Name, h.Mode, want)
		}
	}
	if want := []string{"a/", "a/b/", "a/b/tool", "b/", "b/link", "b/text", "tmp/"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestDebianVersions(t *testing.T) {
	when := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	for version, want := range map[string]string{"0.2.0": "0.2.0", "0.2.0-5-g1a2b3c4": "0.2.0+5+g1a2b3c4", "1a2b3c4-dirty": "0~20261130010203.1a2b3c4.dirty"} {
		if got := (options{version: version, time: when}).debianVersion(); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}

func TestProductNames(t *testing.T) {
	stamp := filepath.Join(t.TempDir(), "installed")
	if _, err := productName(stamp); err == nil {
		t.Error("a product without libtensorflow")
	}
	for text, want := range map[string]string{"2.18.0 cpu 0a1b": "tkit", "2.18.0 gpu 0a1b": "tkit-gpu", "2.18.0 from /opt/gpu": "tkit"} {
		if err := os.WriteFile(stamp, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := productName(stamp); got != want || err != nil {
			t.Errorf("%s makes %s, %v; want %s", text, got, err, want)
		}
	}
}

// A module without a licence stops the release.
func TestLicenceIsRequired(t *testing.T) {
	folder := t.TempDir()
	if err := addLicences(tree{}, "x", folder); !errors.Is(err, errNoLicence) {
		t.Errorf("%v, want errNoLicence", err)
	}
	for _, name := range []string{"UNLICENSE", "licence_test.go", "NOTICE", "README"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("words"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := tree{}
	if err := addLicences(files, "x", folder); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "x/NOTICE", "x/UNLICENSE"}; !slices.Equal(files.paths(), want) {
		t.Errorf("%q, want %q", files.paths(), want)
	}
}

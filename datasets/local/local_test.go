package local_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/files/filestest"
	"tkit/datasets/local"
	"tkit/internal/fuzztest"
)

func TestTree(t *testing.T) {
	filestest.Run(t, func(t *testing.T, stored []filestest.File) filestest.Fixture {
		root := filepath.Join(t.TempDir(), "a tree #1 ?%41") // a URI must escape this
		must(t, os.Mkdir(root, 0o755))
		path := func(p string) string { return filepath.Join(root, filepath.FromSlash(p)) }
		put := func(f filestest.File) { write(t, path(f.Path), f.Bytes) }
		for _, f := range stored {
			put(f)
		}
		return filestest.Fixture{
			Tree:          open(t, root),
			Reopen:        reopen,
			Put:           put,
			MakeDirectory: func(p string) { must(t, os.MkdirAll(path(p), 0o755)) },
			Remove:        func(p string) { must(t, os.Remove(path(p))) },
			// The superuser may read whatever the mode says, so a link that
			// leaves the root stands for what may not be read.
			Deny: func(p string) {
				outside := filepath.Join(t.TempDir(), "outside")
				write(t, outside, filestest.Pattern(10, 1))
				must(t, os.Remove(path(p)))
				must(t, os.Symlink(outside, path(p)))
			},
		}
	})
}

func reopen(_ context.Context, uri string) (files.Tree, error) {
	c, err := local.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	return local.New(c)
}

func open(t *testing.T, root string) *local.Tree {
	t.Helper()
	tree, err := local.New(local.Config{Root: root})
	must(t, err)
	return tree
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, b, 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What leaves the tree, or is no file, is refused with the reason wherever it
// is met: listed, asked for or opened.
func TestRefused(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), []byte("secret"))
	write(t, filepath.Join(root, "d/file"), []byte("file"))
	must(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	listener, err := net.Listen("unix", filepath.Join(root, "socket"))
	must(t, err)
	defer listener.Close()
	for link, target := range map[string]string{
		"inside": "d/file", "out": filepath.Join(outside, "secret"), "dots": "../" + filepath.Base(outside) + "/secret",
		"nothing": "gone", "loop": "loop", "folder": "d", "outside": outside, "to-pipe": "pipe", "up": "..",
	} {
		must(t, os.Symlink(target, filepath.Join(root, link)))
	}
	tree := open(t, root)
	reasons := map[string]string{
		"out": "leaves the dataset", "dots": "leaves the dataset", "up": "leaves the dataset", "outside": "leaves the dataset",
		"nothing": "symbolic link to nothing", "loop": "symbolic link", "folder": "symbolic link to a folder",
		"pipe": "a named pipe", "to-pipe": "a named pipe", "socket": "a socket",
	}
	for info, err := range tree.List(t.Context(), "") {
		must(t, err)
		asked, err := tree.Stat(t.Context(), info.Path)
		must(t, err)
		want := reasons[info.Path]
		for _, refused := range []error{info.Refused, asked.Refused} {
			if want == "" && refused != nil || want != "" && (!errors.Is(refused, datasets.ErrRefused) || !strings.Contains(refused.Error(), want)) {
				t.Errorf("%s is refused as %v, want %q", info.Path, refused, want)
			}
		}
		if info.Path == "inside" && info.Size != 4 {
			t.Errorf("a link to 4 bytes has the size %d", info.Size)
		}
		r, err := tree.Open(t.Context(), info.Path, 0)
		if err == nil {
			must(t, r.Close())
		}
		if opens := !info.Directory && want == ""; opens != (err == nil) {
			t.Errorf("opening %s: %v", info.Path, err)
		}
		delete(reasons, info.Path)
	}
	if len(reasons) > 0 {
		t.Errorf("not listed: %v", reasons)
	}
	for _, path := range []string{"outside/secret", "out", "up/x"} {
		if _, err := tree.Open(t.Context(), path, 0); !errors.Is(err, datasets.ErrRefused) {
			t.Errorf("opening %s: %v", path, err)
		}
	}
	if _, err := tree.Stat(t.Context(), "outside/secret"); !errors.Is(err, datasets.ErrRefused) {
		t.Errorf("asking for a file behind a link out: %v", err)
	}
}

// A file written just now may be written again within one tick of its times.
func TestIdentity(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "x")
	write(t, path, []byte("x"))
	tree := open(t, root)
	identity := func() string {
		info, err := tree.Stat(t.Context(), "x")
		must(t, err)
		return info.Identity
	}
	if identity() != "" {
		t.Error("what was written just now is told from what comes next")
	}
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(path, old, old))
	before := identity()
	if before == "" || identity() != before {
		t.Errorf("an old file is %q, then %q", before, identity())
	}
	write(t, path+"2", []byte("y"))
	must(t, os.Chtimes(path+"2", old, old))
	must(t, os.Rename(path+"2", path))
	if after := identity(); after == before || after == "" {
		t.Errorf("another file of one size and time is %q as before", after)
	}
}

// A file in place of which more is written, or less, is not read to its end.
func TestWrittenWhileRead(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "x")
	for name, c := range map[string]struct {
		change func() error
		want   error
	}{
		"cut":   {func() error { return os.Truncate(path, 5) }, io.ErrUnexpectedEOF},
		"grown": {func() error { return os.WriteFile(path, make([]byte, 200), 0o644) }, datasets.ErrChanged},
	} {
		write(t, path, make([]byte, 100))
		r, err := open(t, root).Open(t.Context(), "x", 0)
		must(t, err)
		_, err = io.ReadFull(r, make([]byte, 10))
		must(t, err)
		must(t, c.change())
		if _, err := io.ReadAll(r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, r.Close())
	}
}

func TestNewErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	for root, want := range map[string]string{
		"":                       "no dataset",
		file:                     "is a file",
		file + "x":               "no such file",
		filepath.Join(file, "x"): "not a directory",
	} {
		if _, err := local.New(local.Config{Root: root}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", root, err)
		}
	}
}

func TestParseConfig(t *testing.T) {
	for _, c := range []struct{ uri, root, err string }{
		{"images", "images", ""},
		{"/data/a%41 #?", "/data/a%41 #?", ""},
		{"file:///data/images", "/data/images", ""},
		{"file://localhost/data", "/data", ""},
		{"file:///a%20b%23", "/a b#", ""},
		{"", "", "no dataset"},
		{"file://", "", "no path"},
		{"file://server/share", "", `write file:///server/share`},
		{"file:///data?x=1", "", "%3F"},
		{"file:///data#x", "", "%23"},
		{"file:///%zz", "", "%zz"},
	} {
		got, err := local.ParseConfig(c.uri)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || got.Root != c.root {
			t.Errorf("%s: got %q, %v", c.uri, got.Root, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{"/a", "file:///a%20b", "file://h/x", "file://", "file:///a?b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		defer fuzztest.Watch(t, len(uri))()
		c, err := local.ParseConfig(uri)
		if err == nil && c.Root == "" {
			t.Error("neither a root nor an error")
		}
	})
}

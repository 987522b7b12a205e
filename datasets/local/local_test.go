package local_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
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
			// The superuser may read everything whatever the mode, so a link
			// that leaves the root is used as the unreadable file.
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

// Entries that leave the tree, or are not files, are refused with the reason in
// listings, in Stat and in Open.
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

// What replaces the folder, or one above it, is not read.
func TestHoldsTheFolder(t *testing.T) {
	for _, replaced := range []string{"above/root", "above"} {
		for name, replace := range map[string]func(at, secret string) error{
			"link":   func(at, secret string) error { return os.Symlink(secret, at) },
			"folder": func(at, secret string) error { return os.Rename(secret, at) },
		} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "above/root/d/x"), []byte("mine"))
			secret := filepath.Join(dir, "secret")
			below := strings.TrimPrefix("above/root/d/x", replaced)
			write(t, secret+below, []byte("secret"))
			tree := open(t, filepath.Join(dir, "above/root"))
			at := filepath.Join(dir, replaced)
			must(t, os.Rename(at, at+".before"))
			must(t, replace(at, secret))
			for info, err := range tree.List(t.Context(), "d") {
				must(t, err)
				if info.Size != 4 {
					t.Errorf("%s replaced by a %s: %d bytes are listed", replaced, name, info.Size)
				}
			}
			if info, err := tree.Stat(t.Context(), "d/x"); err != nil || info.Size != 4 {
				t.Errorf("%s replaced by a %s: %d bytes are found, %v", replaced, name, info.Size, err)
			}
			r, err := tree.Open(t.Context(), "d/x", 0)
			must(t, err)
			if b, err := io.ReadAll(r); err != nil || string(b) != "mine" {
				t.Errorf("%s replaced by a %s: %q is read, %v", replaced, name, b, err)
			}
			must(t, r.Close())
			must(t, tree.Close())
		}
	}
}

// The URI is the folder's real path, whatever links led there.
func TestWhereItLies(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	write(t, filepath.Join(dir, "real/root (deleted)/x"), nil)
	must(t, os.Symlink("real", filepath.Join(dir, "above")))
	must(t, os.Symlink("real/root (deleted)", filepath.Join(dir, "root")))
	want := (&url.URL{Scheme: "file", Path: filepath.Join(dir, "real/root (deleted)")}).String()
	for _, given := range []string{"above/root (deleted)", "root"} {
		if got := open(t, filepath.Join(dir, given)).URI(); got != want {
			t.Errorf("%s is %s, want %s", given, got, want)
		}
	}
}

// Only one file is read, under its own name, even if a link replaces it.
func TestOnly(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "x"), []byte("mine"))
	write(t, filepath.Join(root, "secret"), []byte("secret"))
	tree := open(t, root)
	tree.Only("x")
	read := func(path string) error {
		r, err := tree.Open(t.Context(), path, 0)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	must(t, read("x"))
	if err := read("secret"); !errors.Is(err, datasets.ErrRefused) {
		t.Errorf("the file beside it: %v", err)
	}
	for _, err := range tree.List(t.Context(), "") {
		if !errors.Is(err, datasets.ErrRefused) {
			t.Errorf("listing: %v", err)
		}
	}
	must(t, os.Remove(filepath.Join(root, "x")))
	must(t, os.Symlink("secret", filepath.Join(root, "x")))
	if err := read("x"); !errors.Is(err, datasets.ErrRefused) {
		t.Errorf("a link in its place: %v", err)
	}
	if info, err := tree.Stat(t.Context(), "x"); err != nil || !errors.Is(info.Refused, datasets.ErrRefused) {
		t.Errorf("a link in its place is %+v, %v", info, err)
	}
}

// A file just written may be written again within the granularity of its times.
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
		t.Error("a file just written has an identity")
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

// A file that grows or shrinks while it is read is not read to its end.
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

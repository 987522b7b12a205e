package folder_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/folder"
	"tkit/datasets/local"
	"tkit/datasets/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, files []sourcetest.File) sourcetest.Fixture {
		root := filepath.Join(t.TempDir(), "a dataset #1 ?%41") // a URI must escape this
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		path := func(key string) string { return filepath.Join(root, filepath.FromSlash(key)) }
		put := func(f sourcetest.File) { write(t, path(f.Key), f.Bytes) }
		for _, f := range files {
			put(f)
		}
		return sourcetest.Fixture{
			Source: open(t, root),
			Reopen: all.Open,
			Put:    put,
			Remove: func(key string) { must(t, os.Remove(path(key))) },
			// The superuser may read everything whatever the mode, so a link
			// that leaves the root is used as the unreadable file.
			Deny: func(key string) {
				outside := filepath.Join(t.TempDir(), "outside.png")
				write(t, outside, sourcetest.Picture(1))
				must(t, os.Remove(path(key)))
				must(t, os.Symlink(outside, path(key)))
			},
		}
	})
}

func open(t *testing.T, root string) *folder.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: root})
	must(t, err)
	return folder.New(tree, folder.Config{})
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

// snapshot returns the used keys and, by key, why others are not used.
func snapshot(t *testing.T, root string) (used []string, quarantined map[string]string) {
	t.Helper()
	s, r, err := datasets.TakeSnapshot(t.Context(), open(t, root), datasets.SnapshotOptions{})
	must(t, err)
	for _, e := range s.Entries {
		used = append(used, e.Key)
	}
	quarantined = make(map[string]string)
	for _, q := range r.Quarantined {
		quarantined[q.Key] = string(q.Reason) + ": " + q.Detail
	}
	return used, quarantined
}

func expect(t *testing.T, quarantined map[string]string, want map[string]string) {
	t.Helper()
	for key, text := range want {
		if got := quarantined[key]; !strings.Contains(got, text) {
			t.Errorf("%s: quarantined as %q, want %q", key, got, text)
		}
	}
	for key, text := range quarantined {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: quarantined as %q, want nothing", key, text)
		}
	}
}

func TestSkipped(t *testing.T) {
	root := t.TempDir()
	for i, key := range []string{
		".git/objects/x.png", ".hidden.png", "cats/.DS_Store", "cats/._a.png", "cats/Thumbs.db", "cats/THUMBS.DB",
		"cats/desktop.ini", "__MACOSX/cats/a.png", "cats/@eaDir/a.png", "lost+found/a.png",
	} {
		write(t, filepath.Join(root, key), sourcetest.Picture(100+i))
	}
	write(t, filepath.Join(root, "cats/a.png"), sourcetest.Picture(1))
	used, quarantined := snapshot(t, root)
	if !slices.Equal(used, []string{"cats/a.png"}) {
		t.Errorf("used: %v", used)
	}
	expect(t, quarantined, nil)
}

func TestNamed(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "cats/a.png"), sourcetest.Picture(1))
	write(t, filepath.Join(root, "cats/notes.csv"), []byte("a,b"))
	write(t, filepath.Join(root, "README.md"), []byte("# cats"))
	must(t, os.MkdirAll(filepath.Join(root, "dogs", ".cache"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "cats", "empty below a class"), 0o755))
	write(t, filepath.Join(root, "cats/\xff.png"), sourcetest.Picture(2))
	write(t, filepath.Join(root, "\xfe/x.png"), sourcetest.Picture(3))
	used, quarantined := snapshot(t, root)
	if !slices.Equal(used, []string{"cats/a.png"}) {
		t.Errorf("used: %v", used)
	}
	expect(t, quarantined, map[string]string{
		"README.md":       "unlabelled",
		"dogs/":           "no files",
		"cats/notes.csv":  "not an image",
		"cats/\uFFFD.png": "not valid UTF-8",
		"\uFFFD/x.png":    "not valid UTF-8",
	})
}

func TestLinks(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret.png"), sourcetest.Picture(1))
	write(t, filepath.Join(root, "cats/a.png"), sourcetest.Picture(2))
	write(t, filepath.Join(root, ".originals/b.png"), sourcetest.Picture(3))
	for link, target := range map[string]string{
		"cats/inside.png":   "../.originals/b.png",
		"cats/absolute.png": filepath.Join(outside, "secret.png"),
		"cats/dots.png":     "../../" + filepath.Base(outside) + "/secret.png",
		"cats/own.png":      filepath.Join(root, "cats/a.png"), // inside, but absolute
		"cats/nothing.png":  "gone.png",
		"cats/loop.png":     "loop.png",
		"cats/up":           "..",
		"dogs":              outside,
		"rabbits":           "cats",
	} {
		must(t, os.Symlink(target, filepath.Join(root, link)))
	}
	used, quarantined := snapshot(t, root)
	if !slices.Equal(used, []string{"cats/a.png", "cats/inside.png"}) {
		t.Errorf("used: %v", used)
	}
	expect(t, quarantined, map[string]string{
		"cats/absolute.png": "refused: it is a symbolic link that leaves",
		"cats/dots.png":     "leaves the dataset",
		"cats/own.png":      "leaves the dataset",
		"cats/nothing.png":  "symbolic link to nothing",
		"cats/loop.png":     "symbolic link",
		"cats/up":           "symbolic link to a folder",
		"dogs":              "leaves the dataset",
		"rabbits":           "symbolic link to a folder",
	})
	// The root itself may be a link.
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(root, link))
	if through, _ := snapshot(t, link); !slices.Equal(through, used) {
		t.Errorf("through a link to the root: %v", through)
	}
}

// Opening a named pipe would block until a writer opens it.
func TestSpecialFiles(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "c/a.png"), sourcetest.Picture(1))
	must(t, syscall.Mkfifo(filepath.Join(root, "c/pipe.png"), 0o600))
	must(t, os.Symlink("pipe.png", filepath.Join(root, "c/link.png")))
	listener, err := net.Listen("unix", filepath.Join(root, "c/s.png"))
	must(t, err)
	defer listener.Close()
	used, quarantined := snapshot(t, root)
	if !slices.Equal(used, []string{"c/a.png"}) {
		t.Errorf("used: %v", used)
	}
	expect(t, quarantined, map[string]string{
		"c/pipe.png": "a named pipe",
		"c/link.png": "a named pipe",
		"c/s.png":    "a socket",
	})
}

// A listed file may have been replaced by anything when it is opened.
func TestReplacedSinceListed(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "c/a.png")
	secret := filepath.Join(t.TempDir(), "secret.png")
	write(t, secret, sourcetest.Picture(2))
	for name, replace := range map[string]func() error{
		"named pipe": func() error { return syscall.Mkfifo(path, 0o600) },
		"folder":     func() error { return os.Mkdir(path, 0o755) },
		"link out":   func() error { return os.Symlink(secret, path) },
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, sourcetest.Picture(1))
			var example datasets.Example
			for e, err := range open(t, root).Examples(t.Context()) {
				must(t, err)
				example = e
			}
			must(t, os.Remove(path))
			must(t, replace())
			if r, err := example.Open(t.Context()); err == nil {
				r.Close()
				t.Error("it was opened")
			}
			must(t, os.Remove(path))
		})
	}
}

// A folder that cannot be listed would omit its images, so it ends the listing.
func TestRemovedRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data")
	write(t, filepath.Join(root, "a/x.png"), sourcetest.Picture(1))
	src := open(t, root)
	must(t, os.RemoveAll(root))
	if _, _, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A process without file descriptors must not treat every image as unreadable.
// The limit applies to the whole process, so the test uses another process.
func TestOutOfFileDescriptors(t *testing.T) {
	if root := os.Getenv("TKIT_TEST_NO_DESCRIPTORS"); root != "" {
		src := open(t, root)
		var examples []datasets.Example
		for e, err := range src.Examples(t.Context()) {
			must(t, err)
			examples = append(examples, e)
		}
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: 0}))
		_, opening := examples[0].Open(t.Context())
		_, _, listing := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
		fmt.Println("opening:", errors.Is(opening, datasets.ErrUnavailable), "listing:", errors.Is(listing, datasets.ErrUnavailable))
		return
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "a/x.png"), sourcetest.Picture(1))
	command := exec.Command(os.Args[0], "-test.run=^TestOutOfFileDescriptors$")
	command.Env = append(os.Environ(), "TKIT_TEST_NO_DESCRIPTORS="+root)
	out, _ := command.CombinedOutput() // without descriptors the test binary cannot exit cleanly
	if !strings.Contains(string(out), "opening: true listing: true") {
		t.Errorf("got %s", out)
	}
}

func TestCancelledBeforeOpen(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a/x.png"), sourcetest.Picture(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.Open(ctx, root); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

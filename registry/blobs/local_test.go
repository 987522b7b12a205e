package blobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tkit/internal/fuzztest"
	"tkit/registry/blobs"
	"tkit/registry/blobs/blobstest"
)

// The test binary is also the child process of the tests that kill one.
func TestMain(m *testing.M) {
	if root := os.Getenv("BLOBS_TEST_WRITER"); root != "" {
		writeForEver(root)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, root string) *blobs.Local {
	t.Helper()
	s, err := blobs.NewLocal(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLocal(t *testing.T) {
	base := t.TempDir()
	blobstest.Run(t, blobstest.Kind{
		Open: func(t *testing.T, name string) blobs.Store { return open(t, filepath.Join(base, name)) },
		Damage: func(t *testing.T, name string, d blobs.Digest) {
			damage(t, file(filepath.Join(base, name), d))
		},
	})
}

// file returns the path of a blob in the documented layout of Local.
func file(root string, d blobs.Digest) string {
	digits := strings.TrimPrefix(string(d), "sha256:")
	return filepath.Join(root, "sha256", digits[:2], digits)
}

// damage flips a bit of a read-only file.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Second) // even if the clock is too coarse to show the change
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
}

func TestModesArePrivate(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	b, err := open(t, root).Put(t.Context(), strings.NewReader("private"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		root: 0o700, filepath.Join(root, "sha256"): 0o700, filepath.Dir(file(root, b.Digest)): 0o700, file(root, b.Digest): 0o400,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestStrangeFileIsReported(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	if err := os.WriteFile(filepath.Join(root, "sha256", "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.All(t.Context()) {
		if err == nil || !strings.Contains(err.Error(), "notes.txt") {
			t.Errorf("All with a strange file: %v", err)
		}
	}
}

// writeForEver puts blobs of changing content until it is killed.
func writeForEver(root string) {
	s, err := blobs.NewLocal(root)
	for i := 0; err == nil; i++ {
		content := bytes.Repeat(fmt.Appendf(nil, "%d %d ", os.Getpid(), i), 20000)
		_, err = s.Put(context.Background(), bytes.NewReader(content))
		if i == 0 {
			fmt.Println("writing")
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestKilledWriter(t *testing.T) {
	root := t.TempDir()
	leavings := 0
	for i := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "BLOBS_TEST_WRITER="+root)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("writing\n"))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 1700 * time.Microsecond) // the time of the kill is the input of this test
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()

		s := open(t, root)
		kept := make(map[blobs.Digest]bool)
		for b, err := range s.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Path(t.Context(), b.Digest); err != nil {
				t.Errorf("after the kill: %v", err)
			}
			kept[b.Digest] = i%2 == 0
		}
		c, err := s.Collect(t.Context(), false, func(context.Context) (map[blobs.Digest]bool, error) { return kept, nil })
		if err != nil {
			t.Fatal(err)
		}
		leavings += c.Leavings
		if left, err := os.ReadDir(filepath.Join(root, "writing")); err != nil || len(left) > 0 {
			t.Errorf("%d leavings after Collect, %v", len(left), err)
		}
	}
	t.Logf("%d unfinished files were left and removed", leavings)
}

func TestShort(t *testing.T) {
	for d, want := range map[blobs.Digest]string{"": "", "sha256:0123": "0123", blobs.Digest("sha256:" + strings.Repeat("a", 64)): "aaaaaaaaaaaa"} {
		if got := d.Short(); got != want {
			t.Errorf("%q.Short() = %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	for _, s := range []string{"", "sha256:", "sha256:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("G", 64), "md5:00"} {
		f.Add(s)
	}
	root := f.TempDir()
	s, err := blobs.NewLocal(root)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer fuzztest.Watch(t, len(text))()
		d, err := blobs.ParseDigest(text)
		if err != nil {
			return
		}
		if string(d) != text || len(text) != len("sha256:")+64 {
			t.Errorf("ParseDigest(%q) = %q", text, d)
		}
		var again blobs.Digest
		if err := again.UnmarshalText([]byte(text)); err != nil || again != d {
			t.Errorf("UnmarshalText(%q) = %q, %v", text, again, err)
		}
		if _, err := s.Stat(t.Context(), d); err == nil {
			t.Errorf("an empty store holds %s", d)
		}
	})
}

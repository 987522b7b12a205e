package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tkit/internal/fuzztest"
)

// The order of versions is that of the example in semver.org, item 11.
func TestCompareVersions(t *testing.T) {
	want := []string{"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+build", "1.2.0", "1.10.0"}
	got := slices.Clone(want)
	slices.Reverse(got)
	if slices.SortFunc(got, compareVersions); !slices.Equal(got, want) {
		t.Errorf("sorted %v, want %v", got, want)
	}
}

func TestParseLock(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	packages, err := parseLock([]byte("# made by\n\nnumpy==1.26.4 --hash=sha256:" + digest + "  # why\nb==2.0+cpu \\\n    --hash=sha256:" + digest + " \\\n    --hash=sha256:" + digest + "\n"))
	if err != nil || !slices.Equal(packages, []string{"numpy==1.26.4", "b==2.0+cpu"}) {
		t.Errorf("%v, %v", packages, err)
	}
	for _, bad := range []string{
		"numpy", "numpy==1.26.4", "numpy>=1 --hash=sha256:" + digest, "--index-url elsewhere", "-r other.txt",
		"numpy==1.26.4 --hash=md5:" + digest, "numpy @ file:///x", "numpy==1.26.4 --hash=sha256:" + digest + " --global-option x",
	} {
		if _, err := parseLock([]byte("\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: error %v, want one about line 2", bad, err)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte("numpy==1.26.4 --hash=sha256:" + strings.Repeat("0a", 32) + " # x\n"))
	f.Add([]byte("a==1 \\\n --hash=sha256:" + strings.Repeat("00", 32)))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer fuzztest.Watch(t, len(text))()
		packages, err := parseLock(text)
		if err != nil {
			return
		}
		for _, p := range packages {
			if strings.HasPrefix(p, "-") || strings.ContainsAny(p, " \t\n/:@") || !strings.Contains(p, "==") {
				t.Errorf("%q counts as a package", p)
			}
		}
	})
}

func TestSummariesAreLines(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "Levels a page: “straight”, 平ら, 👩‍🔬": true, "two\nlines": false, "\x1b]0;title\x07": false, "\u202etxt.exe": false,
		"not UTF-8 \xff": false, strings.Repeat("x", 1024): true, strings.Repeat("x", 1025): false,
	} {
		if err := checkSummary(text); (err == nil) != good {
			t.Errorf("%.50q: %v", text, err)
		}
	}
}

// A cancelled program ends together with its children, which may hold its
// output open.
func TestRunEndsWhatItStarted(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "started"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		os.ReadFile(filepath.Join(dir, "started"))
		cancel()
	}()
	cmd := exec.CommandContext(ctx, "sh", "-c", "(echo >started; sleep 30; touch late) & wait")
	cmd.Dir = dir
	if _, err := run(ctx, cmd); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "late")); err == nil {
		t.Error("it waited for what it had started")
	}
}

package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tkit/internal/logtest"
	"tkit/internal/needs"
	"tkit/internal/testprogram"
	"tkit/plugins"
	"tkit/plugins/host"
)

// built holds the executables of testdata/faulty, by version.
var built = struct {
	dir string
	v1  string
	v2  string
}{}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faulty")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.dir, built.v1, built.v2 = dir, filepath.Join(dir, "v1"), filepath.Join(dir, "v2")
	for path, version := range map[string]string{built.v1: "1.0.0", built.v2: "2.0.0"} {
		if err := testprogram.Faulty(context.Background(), path, version); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func open(t *testing.T, path string, c host.Config) *host.Plugin {
	t.Helper()
	p, err := tryOpen(t, path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func tryOpen(t *testing.T, path string, c host.Config) (*host.Plugin, error) {
	t.Helper()
	digest, err := host.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Folders = append(c.Folders, filepath.Dir(path))
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return host.Open(t.Context(), path, digest, c)
}

func images(n int) plugins.Batch {
	b := plugins.NewBatch(plugins.Float32, n, [3]int{4, 5, 3})
	for i := range b.Float32 {
		b.Float32[i] = float32(i)
	}
	return b
}

func do(what string) json.RawMessage { return json.RawMessage(fmt.Sprintf(`{"do": %q}`, what)) }

// answers checks that the plugin works.
func answers(t *testing.T, p *host.Plugin) {
	t.Helper()
	in := images(3)
	out, err := p.Process(t.Context(), nil, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range out.Float32 {
		if v != in.Float32[i]+1 {
			t.Fatalf("value %d is %v, want %v", i, v, in.Float32[i]+1)
		}
	}
}

func TestProcess(t *testing.T) {
	for name, c := range map[string]host.Config{"shared memory": {}, "gRPC": {NoSharedMemory: true}} {
		t.Run(name, func(t *testing.T) {
			p := open(t, built.v1, c)
			if d := p.Describe(); d.String() != "faulty@1.0.0" || !d.Deterministic {
				t.Errorf("describes itself as %+v", d)
			}
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for n := range 20 {
						in := images(n + 1)
						out, err := p.Process(t.Context(), nil, in)
						if err != nil {
							t.Error(err)
							return
						}
						for i, v := range out.Float32 {
							if v != in.Float32[i]+1 {
								t.Errorf("%d images: value %d is %v, want %v", n+1, i, v, in.Float32[i]+1)
								return
							}
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestFaults makes a process misbehave, and checks the error and that the next
// batch succeeds.
func TestFaults(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Timeout: 2 * time.Second, Grace: time.Second, Audit: -1})
	for _, c := range []struct {
		do    string
		is    func(error) bool
		words string
	}{
		{"hang", as[*host.TimeoutError], "longer than 2s"},
		{"crash", as[*host.CrashError], "a bug of the author's"},
		{"shape", as[*host.Breach], "1×1×1"},
		{"count", as[*host.Breach], "returned 4 images for 3"},
		{"kind", as[*host.Breach], "returned uint8"},
		{"nan", as[*host.Breach], "image 3 of its result has a value that is not finite"},
		{"error", as[*host.ProcessError], "cannot do that"},
		{"image", as[*plugins.ImageError], "image 3: too dark"},
		{"image out of range", as[*host.Breach], "image 4 of 3"},
	} {
		t.Run(c.do, func(t *testing.T) {
			in := images(3)
			_, err := p.Process(t.Context(), do(c.do), in)
			if err == nil || !c.is(err) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %T %v, want one that says %q", err, err, c.words)
			}
			if !in.Equal(images(3)) {
				t.Error("the batch was changed")
			}
			answers(t, p)
		})
	}
}

func as[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func TestCrashIsRetriedOnce(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	// A restarted process restarts its count, so it crashes again.
	_, err := p.Process(t.Context(), do("crash once"), images(1))
	if !as[*host.CrashError](err) || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("error %v, want a crash with exit status 3", err)
	}
	answers(t, p)
	if _, err := p.Process(t.Context(), do("crash once"), images(1)); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Retried != 1 || s.Crashes != 2 {
		t.Errorf("%d batches retried and %d crashes, want 1 and 2", s.Retried, s.Crashes)
	}
}

func TestChangesToTheInputStayInTheProcess(t *testing.T) {
	p := open(t, built.v1, host.Config{Audit: -1})
	in := images(3)
	if _, err := p.Process(t.Context(), do("write where it must not"), in); err != nil {
		t.Fatal(err)
	}
	if !in.Equal(images(3)) {
		t.Error("the batch was changed")
	}
}

func TestCancel(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Grace: time.Second, Audit: -1})
	for _, what := range []string{"spin until cancelled", "hang"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := p.Process(ctx, do(what), images(1))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v, want that of the context", what, err)
		}
		cancel()
		answers(t, p)
	}
}

// A deadline that the process sees before the host does is not a crash.
func TestDeadlinesEndNoProcess(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	before := p.PIDs()
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := p.Process(ctx, do("spin until cancelled"), images(1))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want the deadline's", err)
		}
	}
	answers(t, p)
	if now := p.PIDs(); !slices.Equal(now, before) || p.Stats().Crashes != 0 {
		t.Errorf("processes %v became %v, %d crashes", before, now, p.Stats().Crashes)
	}
}

func TestFaultsAtStart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, c := range []struct{ fault, words string }{
		{"exit", "exit status 7"},
		{"exit", "no licence found"},
		{"print", `printed "starting up" to standard output`},
		{"hang", "not ready within 1s"},
		{"contract", "version 2 of the plugin contract, but this tkit supports 1"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			_, err := tryOpen(t, built.v1, host.Config{Start: time.Second, Environment: []string{"FAULT=" + c.fault}})
			if !as[*host.StartError](err) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %v, want one that says %q", err, c.words)
			}
		})
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("remaining folders: %v", left)
	}
}

func TestOutputIsLogged(t *testing.T) {
	var log logtest.Buffer
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	if _, err := p.Process(t.Context(), do("print"), images(1)); err != nil {
		t.Fatal(err)
	}
	answers(t, p) // a full pipe would block it
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"printed by fmt", "printed by the system call", `{\"@message\": 5}`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %q", want)
		}
	}
}

func TestLiesAboutDeterminism(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: 2})
	for range 4 {
		if _, err := p.Process(t.Context(), do("lie"), images(1)); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s.Unequal != 2 || s.Batches != 4 {
		t.Errorf("%d of %d batches are counted as unequal, want 2 of 4", s.Unequal, s.Batches)
	}
}

func TestTwoVersionsSideBySide(t *testing.T) {
	one, two := open(t, built.v1, host.Config{}), open(t, built.v2, host.Config{})
	if a, b := one.Describe().String(), two.Describe().String(); a != "faulty@1.0.0" || b != "faulty@2.0.0" {
		t.Errorf("they are %s and %s", a, b)
	}
	answers(t, one)
	answers(t, two)
}

func TestReplacedOnDisk(t *testing.T) {
	content, err := os.ReadFile(built.v1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "plugin")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	digest, err := host.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	running := open(t, path, host.Config{Processes: 1, Audit: -1})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(content, "more"...), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(t.Context(), path, digest, host.Config{Folders: []string{dir}}); !errors.Is(err, host.ErrReplaced) {
		t.Errorf("error %v, want that it was replaced", err)
	}
	// The running plugin continues with the verified content, also after a
	// restart.
	if _, err := running.Process(t.Context(), do("crash"), images(1)); !as[*host.CrashError](err) {
		t.Errorf("error %v, want a crash", err)
	}
	answers(t, running)
}

func TestFolders(t *testing.T) {
	digest, err := host.Digest(built.v1)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	link := filepath.Join(elsewhere, "link")
	if err := os.Symlink(built.v1, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path    string
		folders []string
	}{
		{built.v1, nil},
		{built.v1, []string{elsewhere}},
		{link, []string{elsewhere}},
		{built.dir, []string{built.dir}},
	} {
		if _, err := host.Open(t.Context(), c.path, digest, host.Config{Folders: c.folders}); err == nil {
			t.Errorf("%s was started with the folders %v", c.path, c.folders)
		}
	}
	open, err := os.MkdirTemp(t.TempDir(), "open")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(open, "plugin")
	content, err := os.ReadFile(built.v1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(copied, content, 0o755), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(t.Context(), copied, digest, host.Config{Folders: []string{open}}); err == nil || !strings.Contains(err.Error(), "everybody may write") {
		t.Errorf("error %v, want that everybody may write there", err)
	}
}

func TestConfigFailsItsSchema(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1})
	for _, text := range []string{`{"do": 5}`, `{"undo": "it"}`, `{"bytes": -1}`, `[]`, `{`} {
		if _, err := p.With(json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), "configuration") {
			t.Errorf("%s: error %v, want one about the configuration", text, err)
		}
	}
	step, err := p.With(do(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := step.Process(t.Context(), images(1)); err != nil {
		t.Error(err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET", "of the server's")
	p := open(t, built.v1, host.Config{Processes: 1, Environment: []string{"GIVEN=to it"}})
	_, err := p.Process(t.Context(), do("environment"), images(1))
	if err == nil || !strings.Contains(err.Error(), "GIVEN=to it") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("its environment: %v", err)
	}
}

func TestKilledUnderLoad(t *testing.T) {
	needs.Minutes(t)
	p := open(t, built.v1, host.Config{Processes: 2, Audit: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				in := images(5)
				out, err := p.Process(t.Context(), nil, in)
				if err != nil {
					t.Error(err)
					return
				}
				for i, v := range out.Float32 {
					if v != in.Float32[i]+1 {
						t.Errorf("value %d is %v, want %v", i, v, in.Float32[i]+1)
						return
					}
				}
			}
		})
	}
	for tick := time.NewTicker(300 * time.Millisecond); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if pids := p.PIDs(); len(pids) > 0 {
				syscall.Kill(pids[0], syscall.SIGKILL)
			}
		}
	}
	all.Wait()
	s := p.Stats()
	t.Logf("%+v", s)
	if s.Crashes < 3 {
		t.Errorf("%d crashes: the processes were not killed", s.Crashes)
	}
}

package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tkit/registry"
)

// The test binary is also the other processes of these tests.
func TestMain(m *testing.M) {
	home := os.Getenv("REGISTRY_TEST_HOME")
	if home == "" {
		os.Exit(m.Run())
	}
	r, err := openAt(context.Background(), home, os.Getenv("REGISTRY_TEST_DATABASE"))
	if err == nil {
		err = roles[os.Getenv("REGISTRY_TEST_ROLE")](context.Background(), r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// openAt opens the registry of a home with its own database, or a shared one.
func openAt(ctx context.Context, home, address string) (*registry.Registry, error) {
	if address != "" {
		return registry.OpenShared(ctx, home, address)
	}
	return registry.Open(ctx, home)
}

var roles = map[string]func(context.Context, *registry.Registry) error{
	// train registers and promotes until it is killed.
	"train": func(ctx context.Context, r *registry.Registry) error {
		for {
			v, err := r.Register(ctx, large("flowers"))
			if err != nil {
				return err
			}
			fmt.Println("registered", v.Manifest.Version)
			if _, err := r.Promote(ctx, "flowers", v.Manifest.Version, registry.Production, ann); err != nil {
				return err
			}
			fmt.Println("promoted", v.Manifest.Version)
		}
	},
	// register registers ten versions.
	"register": func(ctx context.Context, r *registry.Registry) error {
		for range 10 {
			if _, err := r.Register(ctx, large("flowers")); err != nil {
				return err
			}
		}
		return nil
	},
	// collect collects until its input ends.
	"collect": func(ctx context.Context, r *registry.Registry) error {
		end := make(chan error, 1)
		go func() { _, err := io.Copy(io.Discard, os.Stdin); end <- err }()
		for {
			if _, err := r.Collect(ctx, false); err != nil {
				return err
			}
			select {
			case err := <-end:
				return err
			default:
			}
		}
	},
	// promote moves the production alias to version 2, then back.
	"promote": func(ctx context.Context, r *registry.Registry) error {
		_, err1 := r.Promote(ctx, "flowers", 2, registry.Production, ann)
		_, err2 := r.Rollback(ctx, "flowers", registry.Production, ann)
		return errors.Join(err1, err2)
	},
}

// large is a registration whose blobs take a while to write: a trunk that all
// share and a head of its own.
func large(model string) registry.Registration {
	n := registration(model, fmt.Sprint(rand.Uint64(), strings.Repeat(" weights", 40_000)))
	n.Trunk = registry.FromReader(strings.NewReader(strings.Repeat("trunk ", 50_000)))
	return n
}

func process(t *testing.T, home, role string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REGISTRY_TEST_HOME="+home, "REGISTRY_TEST_ROLE="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcessesRegisterWhileBlobsAreCollected(t *testing.T) {
	home := t.TempDir()
	open(t, home)
	collector := process(t, home, "collect")
	input, err := collector.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := collector.Start(); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 3 {
		cmd := process(t, home, "register")
		wait.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error("register:", err)
			}
		})
	}
	wait.Wait()
	input.Close()
	if err := collector.Wait(); err != nil {
		t.Error("collect:", err)
	}
	r := open(t, home)
	versions, err := r.Versions(t.Context(), "flowers")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range versions {
		if v.Manifest.Version != i+1 {
			t.Errorf("version %d stands in place %d", v.Manifest.Version, i+1)
		}
	}
	if len(versions) != 30 {
		t.Errorf("%d versions, want 30", len(versions))
	}
	sound(t, r)
}

// After a kill at any time the old state is there or the new one. TKIT_KILLS is how often
// the process is killed.
func TestKilledTraining(t *testing.T) {
	kills := 10
	if text := os.Getenv("TKIT_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("SQLite", func(t *testing.T) { killedTraining(t, kills, "") })
	t.Run("PostgreSQL", func(t *testing.T) { killedTraining(t, kills, sharedDatabase(t)) })
}

func killedTraining(t *testing.T, kills int, address string) {
	home := t.TempDir()
	registered, leavings := 0, 0
	for range kills {
		cmd := process(t, home, "train")
		cmd.Env = append(cmd.Env, "REGISTRY_TEST_DATABASE="+address)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the child said nothing")
		}
		time.AfterFunc(time.Duration(rand.IntN(26_000))*time.Microsecond, func() { cmd.Process.Signal(syscall.SIGKILL) })
		promoted := 0
		for ok := true; ok; ok = lines.Scan() {
			_, err1 := fmt.Sscanf(lines.Text(), "registered %d", &registered)
			_, err2 := fmt.Sscanf(lines.Text(), "promoted %d", &promoted)
			if err1 != nil && err2 != nil {
				t.Fatalf("the child said %q", lines.Text())
			}
		}
		cmd.Wait()

		r, err := openAt(t.Context(), home, address)
		if err != nil {
			t.Fatal(err)
		}
		sound(t, r)
		versions, err := r.Versions(t.Context(), "flowers")
		if err != nil || len(versions) < registered {
			t.Errorf("%d versions after the kill, %v; %d were reported", len(versions), err, registered)
		}
		if m, err := r.Resolve(t.Context(), ref(t, "flowers")); promoted > 0 && (err != nil || m.Version < promoted) {
			t.Errorf("in production is %v, %v; promoted was %d", m, err, promoted)
		}
		c, err := r.Collect(t.Context(), false)
		if err != nil {
			t.Error(err)
		}
		leavings += c.Leavings + len(c.Blobs)
		sound(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d versions; %d files of killed registrations were collected", registered, leavings)
}

func TestWatch(t *testing.T) {
	home := t.TempDir()
	r := open(t, home)
	register(t, r, "flowers", "1")
	promote(t, r, "flowers", 1, registry.Production)
	since, err := r.Generation(t.Context())
	if err != nil || since != 2 {
		t.Fatalf("Generation = %d, %v", since, err)
	}
	register(t, r, "flowers", "2") // between Generation and Watch
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []string
	for e, err := range r.Watch(ctx, since, time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(e.ID, " ", e.Action, " ", e.Version))
		switch len(seen) {
		case 1:
			if err := process(t, home, "promote").Run(); err != nil {
				t.Fatal(err)
			}
		case 3:
			promote(t, r, "flowers", 2, "champion") // this process' own
		case 4:
			cancel()
		}
	}
	if got, want := strings.Join(seen, ", "), "3 register 2, 4 promote 2, 5 rollback 1, 6 promote 2"; got != want {
		t.Errorf("watched %s, want %s", got, want)
	}
	for range r.Watch(t.Context(), 0, time.Hour) {
		break // leaving early is allowed, and the registry closes
	}
}

func TestConcurrentUse(t *testing.T) {
	home := t.TempDir()
	r := open(t, home)
	register(t, r, "flowers", "0")
	promote(t, r, "flowers", 1, registry.Production)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for j := range 5 {
				n := registration("flowers", fmt.Sprint("head ", i, j))
				v, err := r.Register(context.Background(), n)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Promote(context.Background(), "flowers", v.Manifest.Version, registry.Production, ann); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Go(func() {
			last := 0
			for range 200 {
				m, err := r.Resolve(context.Background(), registry.Ref{Model: "flowers", Alias: registry.Production})
				if err != nil {
					t.Error(err)
					return
				}
				last = max(last, m.Version)
			}
			if _, err := r.List(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if v := register(t, r, "flowers", "last"); v.Manifest.Version != 22 {
		t.Errorf("the last version is %d, want 22", v.Manifest.Version)
	}
	sound(t, r)
}

func BenchmarkResolve(b *testing.B) {
	r := open(b, b.TempDir())
	for i := range 200 {
		register(b, r, fmt.Sprint("model-", i%20), fmt.Sprint(i))
	}
	promote(b, r, "model-7", 5, registry.Production)
	for _, text := range []string{"model-7", "model-7@3"} {
		b.Run(text, func(b *testing.B) {
			which := ref(b, text)
			for b.Loop() {
				if _, err := r.Resolve(b.Context(), which); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

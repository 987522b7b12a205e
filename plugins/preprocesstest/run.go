package preprocesstest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tkit/plugins"
	"tkit/plugins/host"
)

// Run makes all checks, in the test's process and with the program as a
// separate process: Options.Program, or the output of `go build` for the
// package under test.
func Run(t *testing.T, p plugins.Preprocessor, o Options) {
	t.Run("within", func(t *testing.T) { run(t, Subject{Preprocessor: p}, o) })
	t.Run("process", func(t *testing.T) {
		program := o.Program
		if program == "" {
			program = filepath.Join(t.TempDir(), "plugin")
			cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, ".")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
		}
		described := RunProcess(t, func(c host.Config) (*host.Plugin, error) { return open(t.Context(), program, c) }, o)
		if within := p.Describe(); within.String() != described.String() {
			t.Errorf("the program is %s, but the preprocessor in the test is %s", described, within)
		}
	})
}

// RunProcess makes all checks on a plugin as a separate process, which open
// starts with the given configuration, and returns the plugin's description.
func RunProcess(t *testing.T, open func(host.Config) (*host.Plugin, error), o Options) plugins.Description {
	t.Helper()
	s, err := Start(t.Context(), open, slog.NewTextHandler(t.Output(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Plugin.Close(); err != nil {
			t.Error(err)
		}
	}()
	run(t, s, o)
	return s.Describe()
}

func run(t *testing.T, s Subject, o Options) {
	_, err := Check(t.Context(), s, o, func(r Result) {
		t.Run(r.Check, func(t *testing.T) {
			switch {
			case r.Err != nil:
				t.Error(r.Err)
			case r.Skipped != "":
				t.Skip(r.Skipped)
			case r.Note != "":
				t.Log(r.Note)
			}
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func open(ctx context.Context, program string, c host.Config) (*host.Plugin, error) {
	digest, err := host.Digest(program)
	if err != nil {
		return nil, err
	}
	c.Folders = []string{filepath.Dir(program)}
	return host.Open(ctx, program, digest, c)
}

// Start starts a plugin for Check, by calling open with a suitable
// configuration. Only the plugin's output is passed to log: the effects of the
// checks are expected. The caller closes the Subject's Plugin.
func Start(ctx context.Context, open func(host.Config) (*host.Plugin, error), log slog.Handler) (Subject, error) {
	counter := &stdoutCounter{Handler: log, lines: new(atomic.Int64)}
	p, err := open(host.Config{Processes: 1, Audit: -1, Timeout: time.Minute, Grace: 2 * patience, Log: slog.New(counter)})
	if err != nil {
		return Subject{}, err
	}
	if ctx.Err() != nil {
		return Subject{}, errors.Join(ctx.Err(), p.Close())
	}
	return Subject{Preprocessor: p, Plugin: p, Printed: func() int { return int(counter.lines.Load()) }}, nil
}

// stdoutCounter counts the lines printed to standard output according to the
// host.
type stdoutCounter struct {
	slog.Handler
	lines *atomic.Int64
}

// Enabled returns true, so that everything is counted.
func (h *stdoutCounter) Enabled(context.Context, slog.Level) bool { return true }

func (h *stdoutCounter) Handle(ctx context.Context, r slog.Record) error {
	printed := false
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == host.StreamKey {
			printed = true
			if a.Value.String() == "stdout" {
				h.lines.Add(1)
			}
		}
		return true
	})
	if !printed || !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h *stdoutCounter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &stdoutCounter{h.Handler.WithAttrs(attrs), h.lines}
}

func (h *stdoutCounter) WithGroup(name string) slog.Handler {
	return &stdoutCounter{h.Handler.WithGroup(name), h.lines}
}

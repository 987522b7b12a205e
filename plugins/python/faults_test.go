package python_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tkit/internal/logtest"
	"tkit/plugins"
	"tkit/plugins/host"
)

// TestFaults makes a process misbehave, and checks the error and that the next
// batch succeeds.
func TestFaults(t *testing.T) {
	c := config
	c.Memory = 512 << 20
	p := open(t, c)
	for _, c := range []struct {
		do    string
		is    func(error) bool
		words string
	}{
		{"last", as[*host.Breach], "returned 1 images for 3"},
		{"repeat", as[*host.Breach], "gives images of any×any×any for 4×5×3, returned 12×5×3"},
		{"nan", as[*host.Breach], "image 3 of its result has a value that is not finite"},
		{"double", as[*host.ProcessError], "array of float64, but declares float32"},
		{"write", as[*host.ProcessError], "read-only"},
		{"raise", as[*host.ProcessError], "ValueError: cannot do that"},
		{"image", as[*plugins.ImageError], "image 3: too dark"},
		{"leak", as[*host.ProcessError], "MemoryError"},
		{"exit", as[*host.CrashError], "exit status 3"},
		{"segfault", as[*host.CrashError], "segmentation fault"},
		{"hang", as[*host.TimeoutError], "longer than 2s"},
	} {
		t.Run(c.do, func(t *testing.T) {
			in := images(plugins.Float32, 3, [3]int{4, 5, 3})
			_, err := p.Process(t.Context(), do(c.do), in)
			if err == nil || !c.is(err) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %T %v, want one that says %q", err, err, c.words)
			}
			same(t, p, in)
		})
	}
}

func as[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

// A cancelled batch is abandoned: the same process answers the next.
func TestCancellation(t *testing.T) {
	p := open(t, config)
	before := p.PIDs()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	in := images(plugins.Float32, 3, [3]int{4, 5, 3})
	if _, err := p.Process(ctx, do("wait"), in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that it took too long", err)
	}
	same(t, p, in)
	if after := p.PIDs(); len(after) != 1 || after[0] != before[0] {
		t.Errorf("process %v answers, before %v", after, before)
	}
}

// Background threads do not keep a process from ending.
func TestThreadsEndWithIt(t *testing.T) {
	p := open(t, config)
	if _, err := p.Process(t.Context(), do("thread"), images(plugins.Float32, 1, [3]int{4, 5, 3})); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestFaultsAtStart(t *testing.T) {
	c := config
	c.Start = 3 * time.Second
	for fault, words := range map[string]string{
		"exit": "no licence found", "raise": "ImportError: no such library", "hang": "not ready within 3s",
		"form": "its description: takes: (-5, 0, 0)", "name": "but as faulty-python 1.0.0 in pyproject.toml",
	} {
		t.Run(fault, func(t *testing.T) {
			p, err := tryOpen(t, c, "FAULT="+fault)
			if err == nil {
				p.Close()
			}
			if !as[*host.StartError](err) || !strings.Contains(err.Error(), words) {
				t.Errorf("error %v, want one that says %q", err, words)
			}
		})
	}
}

// Output at any time is logged and does no other harm.
func TestPrints(t *testing.T) {
	var log logtest.Buffer
	c := config
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	p, err := tryOpen(t, c, "FAULT=print")
	if err != nil {
		t.Fatal(err)
	}
	in := images(plugins.Float32, 3, [3]int{4, 5, 3})
	for range 2 {
		if out, err := p.Process(t.Context(), do("print"), in); err != nil || !out.Equal(in) {
			t.Errorf("answered %v, %v", out, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`msg="printed while it is imported" plugin=`, `msg="printed by the system call"`, `msg="printed by print"`, "stream=stdout", "stream=stderr",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, log.String())
		}
	}
}

// TestMultiprocessing tries the start methods of Python's multiprocessing in a
// confined plugin. With fork, pipes work, and pools if the plugin has its own
// /dev/shm; connections to sockets do not.
func TestMultiprocessing(t *testing.T) {
	c := config
	c.Timeout = time.Minute
	p := open(t, c)
	_, err := p.Process(t.Context(), do("multiprocessing"), images(plugins.Float32, 1, [3]int{1, 1, 1}))
	if !as[*host.ProcessError](err) {
		t.Fatalf("error %v, want what it says", err)
	}
	want := map[string]bool{"pipe by fork": true, "manager by fork": !p.Protections().Calls, "pipe by forkserver": !p.Protections().Calls}
	if p.Protections().ReadOnly {
		want["pool by fork"], want["executor by fork"] = true, true
	}
	for way, works := range want {
		if strings.Contains(err.Error(), way+": works") != works {
			t.Errorf("%s: want that it works: %t; %v", way, works, err)
		}
	}
}

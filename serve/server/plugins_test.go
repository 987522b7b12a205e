package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/logtest"
	"tkit/internal/needs"
	"tkit/internal/preprocessing"
	"tkit/internal/testprogram"
	"tkit/plugins/host"
	"tkit/plugins/store"
)

// installFaulty installs the plugin that does whatever its configuration says.
func installFaulty(t *testing.T, home, version string) store.Installed {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faulty")
	if err := testprogram.Faulty(t.Context(), path, version); err != nil {
		t.Fatal(err)
	}
	i, err := store.In(home).Install(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// servePlugged puts a model into production whose preprocessing has a plugin
// that misbehaves on white images.
func servePlugged(t *testing.T, home *inferencetest.Home, model string, i store.Installed, do string) {
	t.Helper()
	step, err := store.In(home.Path).Pin(preprocessing.Plugin{Name: i.Name, Version: i.Version,
		Config: json.RawMessage(fmt.Sprintf(`{"do": %q, "white": true, "bytes": 400000000}`, do))})
	if err != nil {
		t.Fatal(err)
	}
	home.ServePreprocessed(t, model, 1, preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 1}},
		{Resize: &preprocessing.Resize{Height: 32, Width: 32, Kernel: preprocessing.Bilinear}},
		{Plugin: &step},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.Unit}},
	}})
}

// drawn is an image of one grey level.
func drawn(t *testing.T, grey uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 40, 40))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.Gray{Y: grey}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A faults is a server in this process, whose log is kept.
type faults struct {
	url string
	log logtest.Buffer
}

// startFaults starts it and returns when it listens, or when it is ready.
func startFaults(t *testing.T, home string, plugins host.Config, whenReady bool) *faults {
	t.Helper()
	f := &faults{}
	o := Defaults()
	o.Home, o.HTTP, o.GRPC, o.Drain, o.Plugins = home, "127.0.0.1:0", "", 0, plugins
	o.Log = slog.New(slog.NewTextHandler(&f.log, nil))
	o.Plugins.Log = o.Log
	listening, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	o.Listening = func(a Addresses) {
		f.url = "http://" + a.HTTP + "/v1/models/"
		close(listening)
	}
	o.Ready = func([]inference.ModelStatus) { close(ready) }
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	wanted := []chan struct{}{listening} // which may come after ready
	if whenReady {
		wanted = append(wanted, ready)
	}
	for _, come := range wanted {
		select {
		case <-come:
		case err := <-ended:
			ended <- nil
			t.Fatalf("the server ended: %v", err)
		}
	}
	return f
}

func (f *faults) ask(t *testing.T, model string, encoded []byte) (int, string) {
	t.Helper()
	answer, err := http.Post(f.url+model+":classify-image", "image/png", bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestPluginFaults makes a plugin misbehave at one request of a server: that
// request fails, the reason is logged, and the next request succeeds.
func TestPluginFaults(t *testing.T) {
	needs.Minutes(t)
	home := inferencetest.New(t)
	i := installFaulty(t, home.Path, "1.0.0")
	all := []struct {
		do, words string // in the answer
		status    int
		logged    string
	}{
		{do: "hang", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "longer than 1s for a batch"},
		{do: "crash", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "a bug of the author's"},
		{do: "leak", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "its process ended during the batch"},
		{do: "shape", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "1×1×1"},
		{do: "nan", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "not finite"},
		{do: "error", status: http.StatusInternalServerError, words: "the server's log has the cause", logged: "cannot do that"},
		{do: "image", status: http.StatusBadRequest, words: "too dark"},
		{do: "lie", status: http.StatusOK, logged: "returned different results for the same batch"},
		{do: "print", status: http.StatusOK, logged: "printed by fmt"},
		{do: "fork", status: http.StatusOK},
	}
	for _, c := range all {
		servePlugged(t, home, c.do, i, c.do)
	}
	s := startFaults(t, home.Path, host.Config{Processes: 1, Timeout: time.Second, Grace: 500 * time.Millisecond, Memory: 300 << 20, Audit: 1}, true)
	for _, c := range all {
		t.Run(c.do, func(t *testing.T) {
			if status, text := s.ask(t, c.do, drawn(t, 255)); status != c.status || !strings.Contains(text, c.words) {
				t.Errorf("%d %s, want %d and %q", status, text, c.status, c.words)
			}
			if status, text := s.ask(t, c.do, drawn(t, 100)); status != http.StatusOK {
				t.Errorf("the next one: %d %s", status, text)
			}
			if !strings.Contains(s.log.String(), c.logged) {
				t.Errorf("the log does not say %q", c.logged)
			}
		})
	}
}

// Two versions of one plugin run side by side. If one of them is replaced on
// disk, the model that needs it is not served, and its status has the reason.
func TestPluginVersionsSideBySide(t *testing.T) {
	needs.Minutes(t)
	home := inferencetest.New(t)
	one, two := installFaulty(t, home.Path, "1.0.0"), installFaulty(t, home.Path, "2.0.0")
	servePlugged(t, home, "one", one, "")
	servePlugged(t, home, "two", two, "")
	t.Run("both", func(t *testing.T) {
		s := startFaults(t, home.Path, host.Config{Processes: 1}, true)
		for _, model := range []string{"one", "two"} {
			if status, text := s.ask(t, model, drawn(t, 255)); status != http.StatusOK {
				t.Errorf("%s: %d %s", model, status, text)
			}
		}
	})
	if err := os.Chmod(two.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(two.Path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("one replaced", func(t *testing.T) {
		s := startFaults(t, home.Path, host.Config{Processes: 1}, false)
		for deadline := time.Now().Add(20 * time.Second); ; {
			status, text := s.ask(t, "one", drawn(t, 255))
			if status == http.StatusOK && strings.Contains(s.log.String(), "the executable was replaced") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("one: %d %s; the log: %s", status, text, s.log.String())
			}
			time.Sleep(10 * time.Millisecond)
		}
		if status, _ := s.ask(t, "two", drawn(t, 255)); status != http.StatusServiceUnavailable {
			t.Errorf("two: %d, want %d", status, http.StatusServiceUnavailable)
		}
	})
}

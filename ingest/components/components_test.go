package components

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warpstreamlabs/bento/public/service"
	"go.uber.org/goleak"

	"tkit/ingest/deadletter"
	"tkit/ingest/failure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stage is a stream from a folder through a delivery to a function of the test.
type stage struct {
	run     *Run
	letters *deadletter.Store
	folder  string
	stream  *service.Stream
}

func newStage(t *testing.T, files int, output func(source string) error) *stage {
	t.Helper()
	return newStageOf(t, "tkit_directory: {path: in, settle: 1ms, after: delete}", files, output)
}

// newStageOf is newStage with another input.
func newStageOf(t *testing.T, input string, files int, output func(source string) error) *stage {
	t.Helper()
	dir := t.TempDir()
	letters, err := deadletter.Open(filepath.Join(dir, "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { letters.Close() })
	counters := &Counters{}
	s := &stage{letters: letters, folder: filepath.Join(dir, "in"), run: &Run{
		Folder: dir, State: filepath.Join(dir, "state"), Once: true, Attempts: 3, InFlight: 4,
		Letters: letters, Counters: counters, Metrics: NewMetrics("test", nil, counters), Log: slog.New(slog.DiscardHandler),
		Fail: func(err error) { t.Errorf("the run failed: %v", err) },
	}}
	t.Cleanup(func() {
		if err := s.run.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(s.folder, fmt.Sprintf("%03d", i)), fmt.Appendf(nil, "image %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := service.NewEnvironment()
	if err := errors.Join(Register(env, s.run), RegisterDelivery(env, s.run)); err != nil {
		t.Fatal(err)
	}
	b := env.NewStreamBuilder()
	b.SetLogger(slog.New(slog.DiscardHandler))
	if err := b.AddInputYAML("tkit_delivery: {input: {" + input + "}}"); err != nil {
		t.Fatal(err)
	}
	err = b.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		source, _ := m.MetaGetMut(metaSource)
		return output(source.(string))
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.stream, err = b.Build(); err != nil {
		t.Fatal(err)
	}
	return s
}

// left returns the number of files that are still in the folder.
func (s *stage) left(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// The number of attempts follows from the kind of a failure.
func TestAttempts(t *testing.T) {
	var mu sync.Mutex
	attempts := make(map[string]int)
	s := newStage(t, 10, func(source string) error {
		mu.Lock()
		defer mu.Unlock()
		attempts[source]++
		switch {
		case source == "001":
			return &failure.Error{Stage: "test", Kind: failure.Lasting, Err: errors.New("no image")}
		case source == "002":
			return errors.New("unknown")
		case source == "003" && attempts[source] < 5: // more than the attempts of other failures
			return &failure.Error{Stage: "test", Kind: failure.Outage, Err: errors.New("down")}
		case source == "004" && attempts[source] < 2:
			return errors.New("once")
		}
		return nil
	})
	if err := s.stream.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]int{"000": 1, "001": 1, "002": 3, "003": 5, "004": 2, "009": 1} {
		if attempts[source] != want {
			t.Errorf("%s was tried %d times, want %d", source, attempts[source], want)
		}
	}
	letters := make(map[string]deadletter.Letter)
	for l, err := range s.letters.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		letters[l.Source] = l
	}
	if len(letters) != 2 || letters["001"].Stage != "test" || letters["001"].Cause != "no image" || letters["002"].Attempts != 3 || letters["002"].Cause != "unknown" {
		t.Errorf("dead letters %+v", letters)
	}
	if c := s.run.Counters; c.Read.Load() != 10 || c.Delivered.Load() != 8 || c.Dead.Load() != 2 || c.Failed.Load() != 1+3+4+1 {
		t.Errorf("read %d, delivered %d, dead %d, failed %d", c.Read.Load(), c.Delivered.Load(), c.Dead.Load(), c.Failed.Load())
	}
	if n := s.left(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// While an output is down, no more images are read than may be in flight, and nothing is
// lost when the run is stopped.
func TestBackPressure(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]bool)
	s := newStage(t, 50, func(source string) error {
		mu.Lock()
		defer mu.Unlock()
		seen[source] = true
		return &failure.Error{Stage: "test", Kind: failure.Outage, Err: errors.New("down")}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.stream.Run(ctx) }()
	for end := time.Now().Add(time.Minute); s.run.Counters.Failed.Load() < 12; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timed out")
		}
	}
	cancel()
	<-ended
	if err := s.stream.StopWithin(time.Minute); err != nil {
		t.Error(err)
	}
	if n := s.run.Counters.Read.Load(); n != 4 || len(seen) != 4 {
		t.Errorf("%d images were read and %d seen, want 4", n, len(seen))
	}
	if n := s.left(t); n != 50 {
		t.Errorf("%d files are left, want 50", n)
	}
}

// A dead letter that cannot be written is not acknowledged.
func TestDeadLettersUnavailable(t *testing.T) {
	s := newStage(t, 1, func(string) error {
		return &failure.Error{Stage: "test", Kind: failure.Lasting, Err: errors.New("no image")}
	})
	dead := filepath.Join(s.run.Folder, "dead")
	if err := os.Rename(dead, dead+" away"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stream.Run(t.Context()) }()
	for end := time.Now().Add(time.Minute); s.run.Counters.Failed.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timed out")
		}
	}
	if n := s.left(t); n != 1 {
		t.Errorf("%d files are left, want 1", n)
	}
	if err := os.Rename(dead+" away", dead); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := s.left(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestFolderIsMissing(t *testing.T) {
	s := newStage(t, 0, func(string) error { return nil })
	var cause error
	s.run.Fail = func(err error) { cause = err }
	if err := os.Remove(s.folder); err != nil {
		t.Fatal(err)
	}
	if err := s.stream.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(cause, fs.ErrNotExist) {
		t.Errorf("the run failed because of %v", cause)
	}
}

func TestRecord(t *testing.T) {
	m := service.NewMessage([]byte("image"))
	m.MetaSetMut(metaSHA256, "00ff")
	m.MetaSetMut(metaSource, "a.jpg")
	m.MetaSetMut("camera", 4)
	record, err := recordOf(m, [32]byte{0xab})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"source": "a.jpg"`, `"camera": 4`, `"original_sha256": "00ff"`, `"sha256": "ab00`} {
		if !strings.Contains(string(record), want) {
			t.Errorf("%s has no %s", record, want)
		}
	}
}

package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A recorder is a sender that a test can put out of order.
type recorder struct {
	mu       sync.Mutex
	down     bool
	attempts int
	sent     []Digest
	changed  chan struct{} // after each attempt
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{}, 1000)} }

func (r *recorder) Send(_ context.Context, d Digest) error {
	defer func() { r.changed <- struct{}{} }()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	if r.down {
		return errors.New("down")
	}
	r.sent = append(r.sent, d)
	return nil
}

func (r *recorder) Close() {}

func (r *recorder) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// images returns the number of images in each message.
func (r *recorder) images() (all []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.sent {
		all = append(all, d.Images)
	}
	return all
}

func optionsOf(t *testing.T) Options {
	t.Helper()
	return Options{
		Name: "test", Folder: t.TempDir(), Pipeline: "flowers", Period: time.Hour, Count: 5, First: 2, Per: time.Hour,
		Log: slog.New(slog.DiscardHandler), GivenUp: func(int) { t.Error("a message is given up") }, Tried: func(error) {},
	}
}

func open(t *testing.T, o Options, s Sender) *Notifier {
	t.Helper()
	n, err := Open(t.Context(), o, s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func add(t *testing.T, n *Notifier, from, to int) {
	t.Helper()
	var adding sync.WaitGroup
	for i := from; i < to; i++ {
		adding.Go(func() {
			err := n.Add(t.Context(), Image{SHA256: fmt.Sprint(i), Source: fmt.Sprintf("%03d.jpg", i), Label: []string{"rose", "daisy", "daisy"}[i%3], Probability: 0.5})
			if err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
}

func finish(t *testing.T, n *Notifier) {
	t.Helper()
	if err := n.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func check(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: messages of %v images, want %v", what, got, want)
	}
}

// A message is sent after a number of images, and at the end.
func TestCount(t *testing.T) {
	r := newRecorder()
	n := open(t, optionsOf(t), r)
	add(t, n, 0, 4)
	check(t, "before the number is reached", r.images())
	add(t, n, 4, 6)
	<-r.changed
	check(t, "after it", r.images(), 6)
	add(t, n, 5, 9) // the first was told already
	finish(t, n)
	check(t, "at the end", r.images(), 6, 3)
	d := r.sent[0]
	if d.Pipeline != "flowers" || len(d.First) != 2 || d.Labels[0] != (Count{"daisy", 4}) || d.Labels[1] != (Count{"rose", 2}) || d.To.Before(d.From) || d.From.IsZero() {
		t.Errorf("%+v", d)
	}
}

// A message is sent some time after its first image.
func TestPeriod(t *testing.T) {
	o := optionsOf(t)
	o.Period = 10 * time.Millisecond
	r := newRecorder()
	n := open(t, o, r)
	add(t, n, 0, 1)
	<-r.changed
	finish(t, n)
	check(t, "after the period", r.images(), 1)
}

// What is over the limit is in the next message, also of the next run.
func TestLimit(t *testing.T) {
	o := optionsOf(t)
	o.Count, o.Messages = 1, 2
	r := newRecorder()
	n := open(t, o, r)
	for i := range 2 {
		add(t, n, i, i+1)
		<-r.changed
	}
	add(t, n, 2, 7)
	finish(t, n)
	check(t, "with a limit", r.images(), 1, 1)
	o.Messages = 3
	finish(t, open(t, o, r))
	check(t, "in the next run", r.images(), 1, 1, 5)
}

// A required message is tried until it is sent, in this run or in the next.
func TestOutage(t *testing.T) {
	o := optionsOf(t)
	r := newRecorder()
	r.set(true)
	n := open(t, o, r)
	add(t, n, 0, 7)
	<-r.changed
	<-r.changed
	if err := n.Close(context.Background()); !errors.Is(err, ErrLeft) {
		t.Errorf("closed while the service is down: %v", err)
	}
	n = open(t, o, r)
	<-r.changed
	r.set(false)
	add(t, n, 7, 8)
	finish(t, n)
	total := 0
	for _, images := range r.images() {
		total += images
	}
	if total != 8 {
		t.Errorf("the messages are about %d images, want 8", total)
	}
}

// A message that is not known to be sent comes again under the same id, about the same
// images, also in the next run. What has come meanwhile is in the next message.
func TestSameMessage(t *testing.T) {
	o := optionsOf(t)
	box, err := openOutbox(t.Context(), filepath.Join(o.Folder, "notify-test.db"))
	if err != nil {
		t.Fatal(err)
	}
	n := &Notifier{outbox: box, added: make(chan struct{}, 1)}
	add(t, n, 0, 3)
	id, _, err := box.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add(t, n, 3, 4)
	if err := box.close(); err != nil { // killed after the message was sent
		t.Fatal(err)
	}
	r := newRecorder()
	finish(t, open(t, o, r))
	check(t, "in the next run", r.images(), 3, 1)
	if r.sent[0].ID != id || r.sent[1].ID == id || r.sent[1].ID == "" {
		t.Errorf("the ids are %q and %q, want %q and another", r.sent[0].ID, r.sent[1].ID, id)
	}
}

// A message that is not required is given up, and counted.
func TestGiveUp(t *testing.T) {
	o := optionsOf(t)
	o.Attempts = 3
	givenUp := make(chan int, 1)
	o.GivenUp = func(images int) { givenUp <- images }
	r := newRecorder()
	r.set(true)
	n := open(t, o, r)
	add(t, n, 0, 5)
	if images := <-givenUp; images != 5 || r.attempts != 3 {
		t.Errorf("%d images are given up after %d attempts", images, r.attempts)
	}
	r.set(false)
	add(t, n, 5, 6)
	finish(t, n)
	check(t, "afterwards", r.images(), 1)
}

// Of two processes with the same outbox one sends.
func TestShared(t *testing.T) {
	o := optionsOf(t)
	first, second := newRecorder(), newRecorder()
	a := open(t, o, first)
	add(t, a, 0, 5)
	<-first.changed
	b := open(t, o, second)
	add(t, b, 5, 8)
	finish(t, b)
	check(t, "the second", second.images())
	finish(t, a)
	check(t, "the first", first.images(), 5, 3)
}

func TestOptions(t *testing.T) {
	for i, change := range []func(*Options){
		func(o *Options) { o.Count = 0 },
		func(o *Options) { o.Period = -1 },
		func(o *Options) { o.First = -1 },
		func(o *Options) { o.Messages = -1 },
		func(o *Options) { o.Messages, o.Per = 1, 0 },
		func(o *Options) { o.Messages, o.Per = 1, 48*time.Hour },
		func(o *Options) { o.Attempts = -1 },
	} {
		o := optionsOf(t)
		change(&o)
		if o.Check() == nil {
			t.Errorf("change %d is accepted", i)
		}
	}
}

package serve

import (
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"tkit/inference"
)

// A Memory limits the bytes that all requests of a server hold at the same time, in
// all front ends. It counts what was received, not what was announced: clients that
// announce much and send little do not block others. A request that exceeds the
// limit is refused and does not wait.
//
// Its methods may be called concurrently.
type Memory struct{ free *semaphore.Weighted }

// NewMemory returns a Memory of the given number of bytes.
func NewMemory(bytes int64) *Memory { return &Memory{semaphore.NewWeighted(bytes)} }

// perRequest is the memory counted for a request before its body is read: its
// goroutines and headers.
const perRequest = 16 << 10

// Open opens the account of one request. The error's reason is Overloaded.
func (m *Memory) Open() (*Account, error) {
	a := &Account{memory: m}
	return a, a.Hold(perRequest)
}

// An Account counts the bytes that one request holds of a Memory. Its methods
// may be called concurrently.
type Account struct {
	memory *Memory

	mu   sync.Mutex
	held int64
	err  error
}

// errFull is the error of a request for which there is no memory.
var errFull = &inference.Error{Reason: inference.Overloaded, RetryAfter: time.Second, Err: errors.New("too many large requests at a time: try again later")}

// Hold counts n more bytes. The error's reason is Overloaded. After an error every
// later call returns it, too.
func (a *Account) Hold(n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	if !a.memory.free.TryAcquire(n) {
		a.err = errFull
		return a.err
	}
	a.held += n
	return nil
}

// Reader returns a reader of r that counts every byte that it reads. If the limit is
// reached, Read returns the error of Hold.
func (a *Account) Reader(r io.Reader) io.Reader { return &heldReader{r, a} }

type heldReader struct {
	from    io.Reader
	account *Account
}

func (h *heldReader) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	if full := h.account.Hold(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// Free returns n bytes that are no longer referenced.
func (a *Account) Free(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held -= n
	a.memory.free.Release(n)
}

// Refused reports whether a Hold was refused.
func (a *Account) Refused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err != nil
}

// Close releases all bytes that are held. It may be called more than once.
func (a *Account) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memory.free.Release(a.held)
	a.held = 0
}

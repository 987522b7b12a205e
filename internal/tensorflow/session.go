package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
//
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { malloc_trim(0); }
// #else
// static void trim(void) {}
// #endif
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

// Session runs a graph and holds its variables. It is safe for concurrent use.
type Session struct {
	c      *C.TF_Session
	graph  *C.TF_Graph // kept alive by c
	config Config

	mu        sync.Mutex
	idle      sync.Cond // signalled for Close when live or abandoned decreases
	closed    bool
	live      int // runs whose callers wait for them
	abandoned int // runs whose callers returned when their context ended
	done      chan struct{}
	closeErr  error
}

// NewSession opens a session on g. It passes the whole graph to TensorFlow, so
// that a graph that cannot be placed on this machine's devices fails here.
func NewSession(g *Graph, c Config) (*Session, error) {
	silenceFirstRun()
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.c == nil {
		return nil, fmt.Errorf("tensorflow: new session: graph: %w", ErrClosed)
	}
	config, err := c.proto()
	if err != nil {
		return nil, err
	}
	st := newStatus()
	defer st.delete()
	options := C.TF_NewSessionOptions()
	defer C.TF_DeleteSessionOptions(options)
	if len(config) > 0 {
		C.TF_SetConfig(options, unsafe.Pointer(&config[0]), C.size_t(len(config)), st.c)
		if err := st.err("new session"); err != nil {
			return nil, err
		}
	}
	cs := C.TF_NewSession(g.c, options, st.c)
	if err := st.err("new session"); err != nil {
		return nil, err
	}
	C.TF_ExtendSession(cs, st.c)
	if err := st.err("new session"); err != nil {
		closing := newStatus()
		defer closing.delete()
		C.TF_DeleteSession(cs, closing.c)
		return nil, err
	}
	s := &Session{c: cs, graph: g.c, config: c, done: make(chan struct{})}
	s.idle.L = &s.mu
	return s, nil
}

// Close ends the session and frees its variables. It waits for active runs;
// runs whose context was cancelled are stopped first. It may be called twice:
// each call returns when the session is closed.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return s.closeErr
	}
	s.closed = true
	for s.live > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()

	st := newStatus()
	defer st.delete()
	// This cancels running steps, so that an abandoned endless loop cannot
	// block the wait below.
	C.TF_CloseSession(s.c, st.c)
	s.closeErr = st.err("close session")

	s.mu.Lock()
	for s.abandoned > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()

	C.TF_DeleteSession(s.c, st.c)
	if s.closeErr == nil {
		s.closeErr = st.err("close session")
	}
	// Weights below 32 MB come from the C library's arenas. Each thread fills
	// one arena, and few arenas shrink by themselves: without this, repeated
	// loading and unloading grows memory by one copy of the weights for each
	// arena.
	C.trim()
	close(s.done)
	return s.closeErr
}

// begin registers a run with the session; end removes it.
func (s *Session) begin(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("tensorflow: run: session: %w", ErrClosed)
	}
	r.abandoned, r.over = false, false
	s.live++
	return nil
}

func (s *Session) end(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.over = true
	if r.abandoned {
		s.abandoned--
	} else {
		s.live--
	}
	s.idle.Broadcast()
}

// abandon records that the caller of r no longer waits for it.
func (s *Session) abandon(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.over {
		return
	}
	r.abandoned = true
	s.live--
	s.abandoned++
	s.idle.Broadcast()
}

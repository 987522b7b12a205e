package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unsafe"
)

// Step is a prepared run of a session: its feeds, fetches and targets. Names
// are resolved when it is made. It is safe for concurrent use, until its
// session is closed.
type Step struct {
	session *Session
	feeds   []port
	inputs  []C.TF_Output
	outputs []C.TF_Output
	targets []*C.TF_Operation
	runs    sync.Pool // *run
}

// port describes what a feed accepts.
type port struct {
	name     string
	dataType DataType
	shape    []int64 // nil accepts any
}

// run holds the arguments of one call to the C API. The arrays are Go memory
// that holds C pointers only, so C may read them during the call.
type run struct {
	options []byte
	buffers []*buffer
	inputs  []*C.TF_Tensor
	outputs []*C.TF_Tensor

	abandoned, over bool // guarded by the session's mutex
}

// Step resolves feeds and fetches, named "node:0" or "node", and targets, which
// are nodes run for their side effects.
func (s *Session) Step(feeds, fetches, targets []string) (*Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("tensorflow: step: session: %w", ErrClosed)
	}
	if len(fetches)+len(targets) == 0 {
		return nil, invalid("step", "nothing to run: no fetch, no target")
	}
	st := &Step{session: s}
	fed := map[C.TF_Output]bool{}
	for _, name := range feeds {
		out, err := findOutput(s.graph, name)
		if err != nil {
			return nil, err
		}
		if fed[out] {
			return nil, invalid("step", "%q is fed twice", name)
		}
		fed[out] = true
		shape, err := shapeOf(s.graph, out)
		if err != nil {
			return nil, err
		}
		st.inputs = append(st.inputs, out)
		st.feeds = append(st.feeds, port{name, DataType(C.TF_OperationOutputType(out)), shape})
	}
	for _, name := range fetches {
		out, err := findOutput(s.graph, name)
		if err != nil {
			return nil, err
		}
		st.outputs = append(st.outputs, out)
	}
	for _, name := range targets {
		op, err := findOperation(s.graph, name)
		if err != nil {
			return nil, err
		}
		st.targets = append(st.targets, op)
	}
	st.runs.New = func() any {
		return &run{
			buffers: make([]*buffer, 0, len(st.inputs)),
			inputs:  make([]*C.TF_Tensor, 0, len(st.inputs)),
			outputs: make([]*C.TF_Tensor, len(st.outputs)),
		}
	}
	return st, nil
}

// Run feeds in, in the order of the feeds, and returns the fetches in order.
// The caller closes both. A fetched tensor may share memory with a fed one if
// the graph passes it through.
//
// TensorFlow stops the run at the context's deadline. If the context ends
// first, Run returns its error at once. The computation that still runs then
// keeps the inputs alive: they may be closed, but must not be written to before
// the session is closed.
func (st *Step) Run(ctx context.Context, in ...*Tensor) ([]*Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("tensorflow: run: %w", err)
	}
	r, err := st.prepare(ctx, in)
	if err != nil {
		return nil, err
	}
	if ctx.Done() == nil {
		out, err := st.call(r)
		st.session.end(r)
		st.runs.Put(r)
		return out, err
	}

	type outcome struct {
		out []*Tensor
		err error
	}
	results := make(chan outcome)
	go func() {
		out, err := st.call(r)
		select {
		case results <- outcome{out, err}:
			st.session.end(r)
			st.runs.Put(r)
		case <-ctx.Done():
			// r is not reused: the caller may abandon it.
			for _, t := range out {
				t.Close()
			}
			st.session.end(r)
		}
	}()
	select {
	case o := <-results:
		return o.out, o.err
	case <-ctx.Done():
		st.session.abandon(r)
		return nil, fmt.Errorf("tensorflow: run: %w", ctx.Err())
	}
}

// prepare checks and retains the inputs and registers the run with the session.
func (st *Step) prepare(ctx context.Context, in []*Tensor) (*run, error) {
	if len(in) != len(st.feeds) {
		return nil, invalid("run", "the step feeds %d tensors, got %d", len(st.feeds), len(in))
	}
	for i, t := range in {
		if err := st.feeds[i].accepts(t); err != nil {
			return nil, err
		}
	}
	options, err := st.session.config.runOptions(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	r := st.runs.Get().(*run)
	r.options = options
	for i, t := range in {
		if t.closed.Load() || !t.buffer.retain() {
			r.release()
			return nil, fmt.Errorf("tensorflow: run: input %q (%v): %w", st.feeds[i].name, t, ErrClosed)
		}
		r.buffers = append(r.buffers, t.buffer)
		r.inputs = append(r.inputs, t.buffer.c)
	}
	if err := st.session.begin(r); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// call does the run and releases the inputs when it returns.
func (st *Step) call(r *run) ([]*Tensor, error) {
	defer r.release()
	status := newStatus()
	defer status.delete()
	var options *C.TF_Buffer
	if len(r.options) > 0 {
		options = newBuffer(r.options)
		defer C.TF_DeleteBuffer(options)
	}
	C.TF_SessionRun(st.session.c, options,
		unsafe.SliceData(st.inputs), unsafe.SliceData(r.inputs), C.int(len(r.inputs)),
		unsafe.SliceData(st.outputs), unsafe.SliceData(r.outputs), C.int(len(r.outputs)),
		unsafe.SliceData(st.targets), C.int(len(st.targets)),
		nil, status.c)
	if err := status.err("run"); err != nil {
		return nil, err
	}
	out := make([]*Tensor, len(r.outputs))
	for i, c := range r.outputs {
		out[i] = adopt(c)
	}
	return out, nil
}

// release releases the inputs.
func (r *run) release() {
	for _, b := range r.buffers {
		b.release()
	}
	r.buffers, r.inputs = r.buffers[:0], r.inputs[:0]
	clear(r.outputs)
}

// accepts returns an error if t cannot be fed. The error uses the graph's
// names.
func (p port) accepts(t *Tensor) error {
	if t == nil {
		return invalid("run", "input %q is nil", p.name)
	}
	if t.dataType != p.dataType {
		return invalid("run", "input %q takes %s, got %v", p.name, p.dataType, t)
	}
	if p.shape == nil {
		return nil
	}
	fits := len(t.shape) == len(p.shape)
	for i := 0; fits && i < len(p.shape); i++ {
		fits = p.shape[i] < 0 || p.shape[i] == t.shape[i]
	}
	if !fits {
		return invalid("run", "input %q takes %s %v, got %v", p.name, p.dataType, p.shape, t)
	}
	return nil
}

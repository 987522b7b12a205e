package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// A stream is a file's bytes from one server. Each wait for the next bytes is
// bounded.
type stream struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration
	timer   *time.Timer

	host   string
	body   io.ReadCloser
	length int64 // announced by the server, or -1
}

// newStream starts waiting for the answer.
func newStream(ctx context.Context, timeout time.Duration) *stream {
	s := &stream{timeout: timeout}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.timer = time.AfterFunc(timeout, func() { s.cancel(errSilent) })
	return s
}

// begin sets the answer whose body is read.
func (s *stream) begin(a answer) {
	s.timer.Stop()
	s.host, s.body, s.length = a.from.Host, a.Body, a.ContentLength
}

func (s *stream) Read(b []byte) (int, error) {
	s.timer.Reset(s.timeout)
	n, err := s.body.Read(b)
	s.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		if s.ctx.Err() != nil {
			err = context.Cause(s.ctx)
		}
		err = fmt.Errorf("%s: %w", s.host, err)
	}
	return n, err
}

// hasMore reports whether more bytes follow the expected end.
func (s *stream) hasMore() bool {
	n, err := s.Read(make([]byte, 1))
	return n > 0 || err == nil
}

// close ends the request. It may be called twice, and for nil.
func (s *stream) close() {
	if s == nil {
		return
	}
	s.timer.Stop()
	if s.body != nil {
		s.body.Close()
	}
	s.cancel(nil)
}

package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"tkit/serve"
)

// A countedBody keeps all the bodies that are held within a bound. What has
// come counts, not what was announced: clients that announce much and send
// little hold up nobody. There is no waiting for room either.
type countedBody struct {
	io.ReadCloser
	all     *semaphore.Weighted // bytes
	held    int64
	refused bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.all.TryAcquire(int64(n)) {
		b.refused = true
		return 0, &serve.Error{Reason: serve.Overloaded, RetryAfter: time.Second, Err: errors.New("too many large requests at a time: try again later")}
	}
	b.held += int64(n)
	return n, err
}

// release gives back what the body held: nothing refers to it any more.
func (b *countedBody) release() {
	b.all.Release(b.held)
	b.held = 0
}

// limit refuses a body of more than most bytes: at once if it is announced, else
// in reading.
func limit(w http.ResponseWriter, r *http.Request, most int64) (io.Reader, error) {
	if r.ContentLength > most {
		return nil, bodyError(&http.MaxBytesError{Limit: most})
	}
	return http.MaxBytesReader(w, r.Body, most), nil
}

// readBody reads a body of at most most bytes. Its memory grows with what comes,
// for the same reason that what was announced does not count.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	limited, err := limit(w, r, most)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(limited)
	return body.Bytes(), bodyError(err)
}

// bodyError gives the reason of a body that could not be read.
func bodyError(err error) error {
	if err == nil || errors.As(err, new(*serve.Error)) {
		return err
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &serve.Error{Reason: serve.TooLarge, Err: fmt.Errorf("the request is larger than %d bytes", large.Limit)}
	}
	return &serve.Error{Reason: serve.BadRequest, Err: fmt.Errorf("read the request: %w", err)}
}

package rest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"tkit/inference"
	"tkit/serve"
)

// A heldBody is a body whose bytes an account holds.
type heldBody struct {
	io.Reader
	io.Closer
}

// unpack returns the body of a request, decompressed by its Content-Encoding. Both
// the compressed and the decompressed bytes are counted.
func (h *handler) unpack(w http.ResponseWriter, r *http.Request, account *serve.Account) (io.ReadCloser, error) {
	body := heldBody{account.Reader(r.Body), r.Body}
	encodings := r.Header.Values("Content-Encoding")
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(encodings, ","))); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r.ContentLength = -1 // refers to the compressed body
		return heldBody{account.Reader(&unpacked{from: http.MaxBytesReader(w, body, h.Limits.MaxBody)}), r.Body}, nil
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, unsupported("the Content-Encoding %.50q is not supported: send gzip, or none", encoding)
	}
}

// An unpacked body decompresses a gzip body. It reads the gzip header at the
// first Read.
type unpacked struct {
	from io.Reader
	gzip *gzip.Reader
}

func (u *unpacked) Read(p []byte) (n int, err error) {
	if u.gzip == nil {
		u.gzip, err = gzip.NewReader(u.from)
	}
	if err == nil {
		n, err = u.gzip.Read(p)
	}
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.As(err, new(*inference.Error)) || errors.As(err, new(*http.MaxBytesError)) || errors.Is(err, os.ErrDeadlineExceeded):
		return n, err
	case err == io.ErrUnexpectedEOF:
		return n, &inference.Error{Reason: inference.BadRequest, Err: errors.New("the body is incomplete: the end of the gzip data is missing")}
	}
	return n, &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf("the body is not valid gzip, which its Content-Encoding declares: %w", err)}
}

// limit refuses a body of more than most bytes: immediately if the length is
// announced, and otherwise while it is read.
func limit(w http.ResponseWriter, r *http.Request, most int64) (io.Reader, error) {
	if r.ContentLength > most {
		return nil, bodyError(&http.MaxBytesError{Limit: most})
	}
	return http.MaxBytesReader(w, r.Body, most), nil
}

// readBody reads a body of at most most bytes. Its memory grows with what is
// received, as announced lengths cannot be trusted.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	limited, err := limit(w, r, most)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(limited)
	return body.Bytes(), bodyError(err)
}

// bodyError adds the reason to the error of a body that could not be read. It
// replaces network errors, which contain addresses.
func bodyError(err error) error {
	if err == nil || errors.As(err, new(*inference.Error)) {
		return err
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &inference.Error{Reason: inference.TooLarge, Err: fmt.Errorf("the request is larger than %d bytes", large.Limit)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &inference.Error{Reason: inference.Timeout, Err: errors.New("the body did not arrive in time")}
	}
	return &inference.Error{Reason: inference.BadRequest, Err: errors.New("the body is incomplete or malformed")}
}

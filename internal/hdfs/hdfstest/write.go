package hdfstest

import (
	"context"
	"fmt"
	"io"
)

// A Writer is a file that is open for write.
type Writer struct {
	body  *io.PipeWriter
	ended chan struct{}
	err   error // once ended is closed
}

// BeginWrite opens a new file for write and returns when the NameNode knows it.
// Close ends the write.
func (c *Cluster) BeginWrite(ctx context.Context, path string) (*Writer, error) {
	var w *Writer
	err := again(func() (err error) {
		w, err = c.beginWrite(ctx, path)
		return err
	})
	return w, err
}

func (c *Cluster) beginWrite(ctx context.Context, path string) (*Writer, error) {
	body, end := io.Pipe()
	w := &Writer{body: end, ended: make(chan struct{})}
	go func() {
		_, w.err = c.web.do(ctx, "PUT", path, body, "op", "CREATE")
		body.CloseWithError(fmt.Errorf("hdfstest: writing %s ended: %w", path, w.err))
		close(w.ended)
	}()
	if _, err := w.Write([]byte("the beginning ")); err != nil {
		return nil, err
	}
	err := c.poll(ctx, path, func() bool {
		select {
		case <-w.ended:
			return true
		default:
		}
		_, err := c.Web(ctx, "GET", path, "op", "GETFILESTATUS")
		return err == nil
	})
	select {
	case <-w.ended:
		return nil, fmt.Errorf("hdfstest: writing %s: %w", path, w.err)
	default:
		return w, err
	}
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) { return w.body.Write(b) }

// Close completes the file.
func (w *Writer) Close() error {
	w.body.Close()
	<-w.ended
	return w.err
}

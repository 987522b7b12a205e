package hdfs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// A patient connection bounds each wait for its peer by its timeout. The
// library itself waits for ever.
type patient struct {
	net.Conn
	timeout time.Duration
}

func dial(ctx context.Context, network, address string, timeout time.Duration) (*patient, error) {
	conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patient{conn, timeout}, nil
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	return n, p.explain(err)
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	n, err := p.Conn.Write(b)
	return n, p.explain(err)
}

// SetDeadline does nothing: each Read and Write sets its own deadline.
func (p *patient) SetDeadline(time.Time) error { return nil }

func (p *patient) explain(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%s has not answered for %s", p.RemoteAddr(), p.timeout)
	}
	return err
}

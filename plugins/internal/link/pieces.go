package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// pieces is TLS credentials for connections that transfer batches. TLS reads
// and writes the socket in records of 16 KB; at most of them one side would
// sleep and be woken, which takes longer than encrypting the batch. So each
// write is sent as one piece, and all available data is read as one.
type pieces struct {
	credentials.TransportCredentials
	config *tls.Config
}

// Credentials returns credentials for a configuration, which may change until
// the first connection: go-plugin adds the plugin's certificate when it
// receives it.
func Credentials(c *tls.Config) credentials.TransportCredentials {
	return pieces{credentials.NewTLS(c), c}
}

func (p pieces) Clone() credentials.TransportCredentials { return Credentials(p.config) }

func (p pieces) ClientHandshake(ctx context.Context, authority string, socket net.Conn) (net.Conn, credentials.AuthInfo, error) {
	under := newBuffered(socket)
	secured, info, err := credentials.NewTLS(p.config).ClientHandshake(ctx, authority, under)
	if err != nil {
		return nil, nil, err
	}
	return &whole{secured, under}, info, nil
}

func (p pieces) ServerHandshake(socket net.Conn) (net.Conn, credentials.AuthInfo, error) {
	under := newBuffered(socket)
	secured, info, err := credentials.NewTLS(p.config).ServerHandshake(under)
	if err != nil {
		return nil, nil, err
	}
	return &whole{secured, under}, info, nil
}

// whole is a TLS connection that sends each write in one piece.
type whole struct {
	net.Conn
	under *buffered
}

func (w *whole) Write(p []byte) (int, error) {
	w.under.hold()
	n, err := w.Conn.Write(p)
	if flushed := w.under.flush(); err == nil && flushed != nil {
		return 0, flushed
	}
	return n, err
}

const (
	readAhead    = 256 << 10
	socketBuffer = 4 << 20 // in flight before the other side reads it
)

// buffered is the socket under TLS. It reads ahead, and buffers writes between
// hold and flush.
type buffered struct {
	net.Conn
	ahead *bufio.Reader

	mu      sync.Mutex // TLS may answer while it reads
	holding bool
	held    []byte
}

func newBuffered(socket net.Conn) *buffered {
	if s, ok := socket.(interface{ SetWriteBuffer(int) error }); ok {
		s.SetWriteBuffer(socketBuffer) // as far as the system allows; any size works
	}
	return &buffered{Conn: socket, ahead: bufio.NewReaderSize(socket, readAhead)}
}

func (b *buffered) Read(p []byte) (int, error) { return b.ahead.Read(p) }

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holding {
		b.held = append(b.held, p...)
		return len(p), nil
	}
	return b.Conn.Write(p)
}

func (b *buffered) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

func (b *buffered) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = false
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.held)
	b.held = b.held[:0]
	return err
}

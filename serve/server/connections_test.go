package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A counted front end allows a number of connections; requests to /known are
// those of an authenticated caller, and wait until they are released.
type counted struct {
	address string
	all     *connections
	begun   chan struct{}
	let     chan struct{}
}

func startCounted(t *testing.T, most int) *counted {
	t.Helper()
	c := &counted{all: newConnections(most), begun: make(chan struct{}), let: make(chan struct{})}
	front := frontEnd(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			useConnection(r.Context())
			c.begun <- struct{}{}
			<-c.let
		}
	}), nil, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- front.Serve(c.all.listen(l)) }()
	t.Cleanup(func() {
		front.Close()
		<-served
	})
	c.address = l.Addr().String()
	return c
}

func (c *counted) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// get sends a request and reads the response, if there is one.
func get(conn net.Conn, path string) error {
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1000))
	return err
}

// Connections of unauthenticated clients are displaced by others, the longest
// unused first. Those with a request of an authenticated caller in progress are
// not.
func TestConnectionsAreDisplaced(t *testing.T) {
	c := startCounted(t, 3)
	busy := c.connect(t)
	answered := make(chan error, 1)
	go func() { answered <- get(busy, "/known") }()
	<-c.begun
	first, second := c.connect(t), c.connect(t)
	if err := get(first, "/"); err != nil { // both are accepted, in order
		t.Fatal(err)
	}
	if err := get(second, "/"); err != nil {
		t.Fatal(err)
	}
	third := c.connect(t)
	if err := get(third, "/"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil {
		t.Error("the first of the unused was not displaced")
	}
	if err := get(second, "/"); err != nil {
		t.Errorf("the second of the unused: %v", err)
	}
	c.let <- struct{}{}
	if err := <-answered; err != nil {
		t.Errorf("the one in use: %v", err)
	}
}

// If all connections have a request in progress, a new one is refused; it is
// accepted once a response was sent.
func TestConnectionsInUse(t *testing.T) {
	c := startCounted(t, 2)
	answered := make(chan error, 2)
	for range 2 {
		conn := c.connect(t)
		go func() { answered <- get(conn, "/known") }()
		<-c.begun
	}
	if err := get(c.connect(t), "/"); err == nil {
		t.Error("a third connection was taken")
	}
	c.let <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	for get(c.connect(t), "/") != nil { // until the connection with the response counts as unused
	}
	c.let <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// The count of connections is correct, whatever they do.
func TestConnectionsUnderLoad(t *testing.T) {
	c := newConnections(4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				client, accepted := net.Pipe()
				added := c.add(accepted)
				if added == nil {
					client.Close()
					accepted.Close()
					continue
				}
				ctx, end := context.WithCancel(withConnection(context.Background(), added))
				useConnection(ctx)
				useConnection(ctx)
				end()
				added.Close()
				client.Close()
			}
		})
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != 0 || c.unused.Len() != 0 {
		t.Errorf("%d are open, %d unused", c.open, c.unused.Len())
	}
}

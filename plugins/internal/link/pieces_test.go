package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials"
)

// counted counts the calls of a socket.
type counted struct {
	net.Conn
	writes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// sides returns configurations with each other's certificate.
func sides(t *testing.T) (client, server *tls.Config) {
	t.Helper()
	var own [2]tls.Certificate
	var pools [2]*x509.CertPool
	for i := range own {
		var err error
		if own[i], err = Certificate(); err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(own[i].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		pools[i] = x509.NewCertPool()
		pools[i].AddCert(leaf)
	}
	return &tls.Config{Certificates: own[:1], RootCAs: pools[1], ServerName: Host},
		&tls.Config{Certificates: own[1:], ClientCAs: pools[0], ClientAuth: tls.RequireAndVerifyClientCert}
}

// connect connects two sides over a socket.
func connect(t *testing.T, client, server credentials.TransportCredentials) (ours, theirs net.Conn, socket *counted, err error) {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var group errgroup.Group
	group.Go(func() error {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		t.Cleanup(func() { accepted.Close() })
		theirs, _, err = server.ServerHandshake(accepted)
		if err != nil {
			accepted.Close()
		}
		return err
	})
	dialed, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	socket = &counted{Conn: dialed}
	ours, _, err = client.ClientHandshake(context.Background(), Host, socket)
	if err != nil {
		dialed.Close()
	}
	if served := group.Wait(); err == nil {
		err = served
	}
	return ours, theirs, socket, err
}

// Each write, of any size, arrives complete and goes through the socket at
// once, while as much data comes the other way.
func TestPieces(t *testing.T) {
	client, server := sides(t)
	ours, theirs, socket, err := connect(t, Credentials(client), Credentials(server))
	if err != nil {
		t.Fatal(err)
	}
	const pieces = 20
	socket.writes.Store(0)
	sent := make([]byte, 300_000)
	for i := range sent {
		sent[i] = byte(i * i)
	}
	var group errgroup.Group
	for _, pair := range [][2]net.Conn{{ours, theirs}, {theirs, ours}} {
		group.Go(func() error {
			for i := range pieces {
				if n, err := pair[0].Write(sent[i:]); err != nil || n != len(sent)-i {
					t.Errorf("wrote %d, %v", n, err)
				}
			}
			return nil
		})
		group.Go(func() error {
			for i := range pieces {
				got := make([]byte, len(sent)-i)
				if _, err := io.ReadFull(pair[1], got); err != nil || !bytes.Equal(got, sent[i:]) {
					t.Errorf("piece %d is not what was sent: %v", i, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := socket.writes.Load(); n != pieces {
		t.Errorf("%d pieces went out in %d", pieces, n)
	}
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
	if n, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end: read %d, %v", n, err)
	}
	if _, err := ours.Write(sent); err == nil {
		t.Error("a closed connection takes more")
	}
}

// Neither side accepts a connection without the agreed certificate.
func TestStrangersAreRefused(t *testing.T) {
	client, server := sides(t)
	stranger, pretender := sides(t)
	for name, c := range map[string][2]*tls.Config{
		"a stranger calls":    {{Certificates: stranger.Certificates, RootCAs: client.RootCAs, ServerName: Host}, server},
		"no certificate":      {{RootCAs: client.RootCAs, ServerName: Host}, server},
		"a stranger listens":  {client, {Certificates: pretender.Certificates, ClientCAs: server.ClientCAs, ClientAuth: tls.RequireAndVerifyClientCert}},
		"nobody to be called": {{Certificates: client.Certificates, RootCAs: x509.NewCertPool(), ServerName: Host}, server},
	} {
		if _, _, _, err := connect(t, Credentials(c[0]), Credentials(c[1])); err == nil {
			t.Errorf("%s, and is connected", name)
		}
	}
}

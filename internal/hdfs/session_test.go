package hdfs

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// A session that is ended while it connects has no connection and returns the
// reason.
func TestEndedWhileConnecting(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	s := &session{timeout: defaultCallTimeout, data: map[*connection]struct{}{}}
	s.end(errBroken)
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){"NameNode": s.dialNameNode, "DataNode": s.dialDataNode} {
		if conn, err := dial(t.Context(), "tcp", listener.Addr().String()); conn != nil || !errors.Is(err, errBroken) {
			t.Errorf("%s: %v, %v", name, conn, err)
		}
	}
}

// The NameNode's message before it hangs up is received, even during a write.
func TestRefusedWhileWriting(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	const refusal = "not you"
	go func() {
		peer, err := listener.Accept()
		if err != nil {
			return
		}
		defer peer.Close()
		peer.Read(make([]byte, 1)) // unread data makes it reset the connection
		io.WriteString(peer, refusal)
	}()
	s := &session{timeout: defaultCallTimeout, data: map[*connection]struct{}{}}
	conn, err := s.dialNameNode(t.Context(), "tcp", listener.Addr().String())
	must(t, err)
	defer conn.Close()
	for err == nil {
		_, err = s.name.patient.Write(make([]byte, 64))
	}
	if _, err := conn.Write([]byte("who I am")); err != nil {
		t.Error(err)
	}
	got := make([]byte, len(refusal))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != refusal {
		t.Errorf("heard %q, %v", got, err)
	}
	if _, err := conn.Read(got); err == nil || !s.lost {
		t.Errorf("then %v, lost %t", err, s.lost)
	}
}

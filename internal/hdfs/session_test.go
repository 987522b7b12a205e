package hdfs

import (
	"context"
	"errors"
	"net"
	"testing"
)

// A session that is ended while it connects has no connection, and says why.
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

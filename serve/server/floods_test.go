package server

import (
	"bytes"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// While a connection floods the server with useless HTTP/2 frames, others are
// served. Endless headers, which would be stored, end the connection.
func TestFloods(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	header := func(fields ...hpack.HeaderField) []byte {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for _, f := range append([]hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/grpc.health.v1.Health/Check"},
			{Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: "application/grpc"}}, fields...) {
			e.WriteField(f)
		}
		return block.Bytes()
	}
	small := header()
	long := make([]byte, 16<<10)
	for i := range long {
		long[i] = 'x'
	}
	large := header(hpack.HeaderField{Name: "x", Value: string(long)})
	large = large[:min(len(large), 16<<10)]
	for name, flood := range map[string]func(f *http2.Framer, i uint32) error{
		"settings": func(f *http2.Framer, i uint32) error {
			return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: i})
		},
		"pings": func(f *http2.Framer, i uint32) error { return f.WritePing(false, [8]byte{byte(i)}) },
		"resets": func(f *http2.Framer, i uint32) error {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: small, EndHeaders: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
		"endless headers": func(f *http2.Framer, i uint32) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: large})
			}
			return f.WriteContinuation(1, false, large)
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", p.GRPC)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
				t.Fatal(err)
			}
			f := http2.NewFramer(conn, conn)
			f.AllowIllegalWrites = true
			if err := f.WriteSettings(); err != nil {
				t.Fatal(err)
			}
			for i := uint32(0); i < 20_000 && err == nil; i++ { // nothing is read
				err = flood(f, i)
			}
			if err == nil && name == "endless headers" {
				t.Error("the connection goes on")
			}
			other, err := grpc.NewClient(p.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if _, err := grpc_health_v1.NewHealthClient(other).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
				t.Errorf("others: %v", err)
			}
		})
	}
}

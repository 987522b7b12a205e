package rpc

import (
	"bytes"
	"compress/gzip"
	"testing"

	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
	"tkit/serve"
)

// FuzzMessage reads, weighs and unmarshals arbitrary messages.
func FuzzMessage(f *testing.F) {
	raw, err := proto.Marshal(&pb.PredictRequest{ModelSpec: &pb.ModelSpec{Name: "m"}, OutputFilter: []string{"a", "b"}})
	if err != nil {
		f.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(raw)
	w.Close()
	f.Add(append([]byte{0, 0, 0, 0, byte(len(raw))}, raw...), false)
	f.Add(append([]byte{1, 0, 0, 0, byte(packed.Len())}, packed.Bytes()...), true)
	const most = 1 << 16
	s := &Server{Options: Options{MaxMessage: most}}
	f.Fuzz(func(t *testing.T, body []byte, packed bool) {
		defer fuzztest.Watch(t, len(body))()
		memory := serve.NewMemory(16 * most)
		account, err := memory.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer account.Close()
		message, err := readMessage(bytes.NewReader(body), packed, most, account)
		if err != nil {
			return
		}
		if len(message) > most {
			t.Fatalf("a message of %d bytes", len(message))
		}
		request := &pb.PredictRequest{}
		if err := s.unmarshal(message, request, account); err == nil && proto.Size(request) > 2*len(message)+16 {
			t.Fatalf("%d bytes became %d", len(message), proto.Size(request))
		}
	})
}

package rpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"tkit/access"
	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/logtest"
	"tkit/serve"
	"tkit/serve/rpc"
)

const (
	predictMethod = "/tensorflow.serving.PredictionService/Predict"
	checkMethod   = "/grpc.health.v1.Health/Check"
)

// frame returns a message in the form in which it is sent.
func frame(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

// post sends arbitrary data and returns the status of the response, -1 if there
// is none.
func post(t *testing.T, address, method string, header map[string]string, body io.Reader) (int, string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+method, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return -1, err.Error()
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return -1, err.Error()
	}
	for _, h := range []http.Header{answer.Header, answer.Trailer} {
		if code := h.Get("Grpc-Status"); code != "" {
			n := 0
			for _, c := range code {
				n = 10*n + int(c-'0')
			}
			return n, h.Get("Grpc-Message")
		}
	}
	return -1, answer.Status
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPacked(t *testing.T) {
	s := start(t, "digits")
	good := request("digits", images(2, 32, 32, 1))
	answer := &pb.PredictResponse{}
	if err := s.conn.Invoke(t.Context(), predictMethod, good, answer, grpc.UseCompressor(gzip.Name)); err != nil || len(answer.GetOutputs()) != 2 {
		t.Errorf("packed by gzip: %v, %v", answer, err)
	}
	if _, err := grpc_health_v1.NewHealthClient(s.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.UseCompressor(gzip.Name)); err != nil {
		t.Errorf("a health check packed by gzip: %v", err)
	}
	bomb := request("digits", images(1, 32, 32, 1))
	bomb.Inputs["images"].TensorContent = make([]byte, 4<<20)
	if err := s.conn.Invoke(t.Context(), predictMethod, bomb, answer, grpc.UseCompressor(gzip.Name)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a bomb: %v", err)
	}
	raw := marshal(t, good)
	for _, test := range []struct {
		name, encoding string
		body           []byte
		want           codes.Code
		message        string
	}{
		{"as it is", "identity", frame(0, raw), codes.OK, ""},
		{"another encoding", "deflate", frame(1, raw), codes.Unimplemented, "deflate"},
		{"no gzip", "gzip", frame(1, raw), codes.InvalidArgument, "gzip"},
		{"packed, not announced", "", frame(1, raw), codes.InvalidArgument, "compressed"},
		{"an unknown flag", "", frame(2, raw), codes.InvalidArgument, "compressed"},
		{"two messages", "", append(frame(0, raw), frame(0, raw)...), codes.InvalidArgument, "more than one"},
		{"no message", "", nil, codes.InvalidArgument, "incomplete"},
		{"half a message", "", frame(0, raw)[:100], codes.InvalidArgument, "incomplete"},
		{"an announcement", "", []byte{0, 0xff, 0xff, 0xff, 0xff}, codes.ResourceExhausted, "larger"},
		{"no protocol buffer", "", frame(0, []byte("nothing")), codes.InvalidArgument, "PredictRequest"},
	} {
		code, message := post(t, s.address, predictMethod, map[string]string{"Grpc-Encoding": test.encoding}, bytes.NewReader(test.body))
		if codes.Code(code) != test.want || !strings.Contains(message, test.message) {
			t.Errorf("%s: %v %s, want %v and %q", test.name, codes.Code(code), message, test.want, test.message)
		}
	}
}

// A message that is small when sent and large in memory is refused before it is
// unmarshalled.
func TestAmplification(t *testing.T) {
	s := start(t, "digits")
	field := func(n protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), content)
	}
	tensor := func(content []byte) []byte {
		return append(field(1, field(1, []byte("digits"))), field(2, append(field(1, []byte("images")), field(2, content)...))...)
	}
	many := bytes.Repeat([]byte{0}, maxMessage/2-200)
	each := func(tag byte) []byte { // fields without content
		b := bytes.Repeat([]byte{tag}, 2*len(many))
		for i := range many {
			b[2*i+1] = 0
		}
		return b
	}
	nested := []byte{}
	for range 200 {
		nested = field(15, field(3, nested))
	}
	for name, test := range map[string]struct {
		raw  []byte
		want codes.Code
	}{
		"strings":        {tensor(each(0x42)), codes.ResourceExhausted},
		"resources":      {tensor(each(0x72)), codes.ResourceExhausted},
		"variants":       {tensor(each(0x7a)), codes.ResourceExhausted},
		"dimensions":     {tensor(field(2, each(0x12))), codes.ResourceExhausted},
		"filters":        {append(tensor(nil), each(0x1a)...), codes.ResourceExhausted},
		"whole numbers":  {tensor(field(10, many[:maxMessage/3])), codes.InvalidArgument},
		"small integers": {tensor(field(10, bytes.Repeat([]byte{1}, maxMessage-300))), codes.ResourceExhausted},
		"nested":         {tensor(nested), codes.InvalidArgument},
	} {
		if code, message := post(t, s.address, predictMethod, nil, bytes.NewReader(frame(0, test.raw))); codes.Code(code) != test.want {
			t.Errorf("%s: %v %s, want %v", name, codes.Code(code), message, test.want)
		}
	}
	if _, err := s.predict(t.Context(), request("digits", images(1, 32, 32, 1))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The error of an expired call is DEADLINE_EXCEEDED and not CANCELLED, whatever
// it waited for.
func TestExpired(t *testing.T) {
	s := start(t, "digits")
	raw := frame(0, marshal(t, request("digits", images(1, 32, 32, 1))))
	for range 100 {
		for _, timeout := range []string{"1n", "100u", "1m", "3m"} {
			code, message := post(t, s.address, predictMethod, map[string]string{"Grpc-Timeout": timeout}, bytes.NewReader(raw))
			if c := codes.Code(code); c != codes.DeadlineExceeded && (c != codes.OK || timeout == "1n") {
				t.Fatalf("after %s: %v %s", timeout, c, message)
			}
		}
	}
	unfinished, writer := io.Pipe()
	go writer.Write(raw[:1000])
	defer unfinished.Close()
	if code, message := post(t, s.address, predictMethod, map[string]string{"Grpc-Timeout": "20m"}, unfinished); codes.Code(code) != codes.DeadlineExceeded {
		t.Errorf("an unfinished message: %v %s", codes.Code(code), message)
	}
	for _, timeout := range []string{"1", "m", "-1S", "123456789S", "1x"} {
		if code, message := post(t, s.address, predictMethod, map[string]string{"Grpc-Timeout": timeout}, bytes.NewReader(raw)); codes.Code(code) != codes.InvalidArgument {
			t.Errorf("%q: %v %s", timeout, codes.Code(code), message)
		}
	}
	if code, message := post(t, s.address, predictMethod, map[string]string{"Grpc-Timeout": "99999999H"}, bytes.NewReader(raw)); code != 0 {
		t.Errorf("years: %v %s", codes.Code(code), message)
	}
}

// Unfinished messages hold the bytes that have arrived, together no more than
// the limit.
func TestUnfinishedMessages(t *testing.T) {
	s := start(t, "digits")
	type answer struct {
		code    int
		message string
	}
	answers := make(chan answer)
	ctx, end := context.WithCancel(t.Context())
	const calls = 8 // of which fewer than four fit into the memory
	for range calls {
		body, writer := io.Pipe()
		context.AfterFunc(ctx, func() { writer.Close() })
		go writer.Write(frame(0, make([]byte, maxMessage))[:maxMessage-1])
		go func() {
			code, message := post(t, s.address, predictMethod, nil, body)
			answers <- answer{code, message}
		}()
	}
	for range calls - 3 {
		if a := <-answers; codes.Code(a.code) != codes.ResourceExhausted {
			t.Errorf("%v %s", codes.Code(a.code), a.message)
		}
	}
	end()
	for range 3 {
		if a := <-answers; codes.Code(a.code) == codes.OK {
			t.Error("half a message was answered")
		}
	}
	if _, err := s.predict(t.Context(), request("digits", images(1, 32, 32, 1))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Unauthenticated callers hold no memory: their messages are not read, except
// those of the health service, which are small.
func TestUnauthenticated(t *testing.T) {
	home := inferencetest.New(t)
	running := home.Start(t)
	var log logtest.Buffer
	denied := func(_ context.Context, header string) (access.Caller, error) {
		switch header {
		case "defect":
			panic("/secret/path")
		case "Bearer good":
			return access.Caller{Principal: "user:good"}, nil
		}
		return access.Caller{}, &inference.Error{Reason: serve.Unauthenticated, Err: access.ErrUnauthenticated}
	}
	address := listen(t, rpc.New(rpc.Options{
		Service: newService(running, 4*maxMessage, slog.NewTextHandler(&log, nil)), Health: rpc.NewHealth(), MaxMessage: maxMessage,
		Authenticate: denied,
	}))
	endless := func() io.Reader { return io.MultiReader(bytes.NewReader([]byte{0, 0, 15, 255, 255}), zeros{}) }
	for method, want := range map[string]codes.Code{
		predictMethod: codes.Unauthenticated,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": codes.Unauthenticated,
		"/no.such/Method":                codes.Unauthenticated,
		checkMethod:                      codes.ResourceExhausted,
		"/grpc.health.v1.Health/Watch":   codes.ResourceExhausted,
		"/grpc.health.v1.Health/Unknown": codes.Unimplemented,
	} {
		if code, message := post(t, address, method, nil, endless()); codes.Code(code) != want && code != -1 {
			t.Errorf("%s: %v %s, want %v", method, codes.Code(code), message, want)
		}
	}
	for header, want := range map[string]codes.Code{"Bearer good": codes.Unimplemented, "defect": codes.Internal} {
		code, message := post(t, address, "/no.such/Method"+strings.Repeat("x", 5000), map[string]string{"Authorization": header}, nil)
		if codes.Code(code) != want || strings.Contains(message, "secret") || len(message) > 300 {
			t.Errorf("%s: %v %s, want %v", header, codes.Code(code), message, want)
		}
	}
	if !strings.Contains(log.String(), "/secret/path") {
		t.Errorf("the log does not say what the defect was: %s", log.String())
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A health watch ends with the server.
func TestWatchEnds(t *testing.T) {
	home := inferencetest.New(t)
	running := home.Start(t)
	health := rpc.NewHealth()
	api := rpc.New(rpc.Options{
		Service: newService(running, 4*maxMessage, slog.DiscardHandler), Health: health, MaxMessage: maxMessage,
	})
	conn := dial(t, listen(t, api))
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ready := range []bool{false, true} {
		health.Set(ready)
		if now, err := watch.Recv(); err != nil || (now.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING) != ready {
			t.Errorf("ready %v: %v, %v", ready, now, err)
		}
	}
	api.EndWatches()
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("a server that stops: %v", err)
	}
}

// Reflection lists the supported services with their types.
func TestReflection(t *testing.T) {
	s := start(t, "digits")
	stream, err := reflectionpb.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	services := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().String()
	for _, name := range []string{"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"} {
		if !strings.Contains(services, name) {
			t.Errorf("%s is not among %s", name, services)
		}
	}
	symbol := &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "tensorflow.serving.PredictionService"}
	if files := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: symbol}).GetFileDescriptorResponse(); len(files.GetFileDescriptorProto()) == 0 {
		t.Error("no descriptor of the service")
	}
}

// The response to a request that is not gRPC says so.
func TestOtherProtocols(t *testing.T) {
	s := start(t, "digits")
	api := rpc.New(rpc.Options{Service: &serve.Service{Log: slog.New(slog.DiscardHandler)}, Health: rpc.NewHealth()})
	defer api.Close()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest("POST", predictMethod, nil))
	if w.Code != http.StatusUnsupportedMediaType || !strings.Contains(w.Body.String(), "gRPC") {
		t.Errorf("HTTP/1: %d %s", w.Code, w.Body)
	}
	if code, message := post(t, s.address, predictMethod, map[string]string{"Content-Type": "application/json"}, nil); code != -1 || !strings.Contains(message, "415") {
		t.Errorf("JSON: %d %s", code, message)
	}
}

// BenchmarkPredict sends a message of the size of a ResNet image.
func BenchmarkPredict(b *testing.B) {
	home := inferencetest.New(b)
	running := home.Start(b)
	conn := dial(b, listen(b, rpc.New(rpc.Options{
		Service: newService(running, 64*maxMessage, slog.DiscardHandler), Health: rpc.NewHealth(), MaxMessage: maxMessage,
	})))
	r := request("none", images(1, 224, 224, 3))
	r.Inputs["images"].Dtype = typespb.DataType_DT_FLOAT
	b.SetBytes(int64(proto.Size(r)))
	for b.Loop() {
		if err := conn.Invoke(b.Context(), predictMethod, r, &pb.PredictResponse{}); status.Code(err) != codes.NotFound {
			b.Fatal(err)
		}
	}
}

// listen serves an API until the test ends.
func listen(t testing.TB, api *rpc.Server) (address string) {
	t.Helper()
	server := &http.Server{Handler: api, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		api.EndWatches()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		api.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

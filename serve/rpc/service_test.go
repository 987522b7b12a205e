package rpc_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tkit/inference/inferencetest"
	"tkit/internal/needs"
	"tkit/serve"
	"tkit/serve/rpc"
)

// A service is a real gRPC server on real models, and a connection to it.
type service struct {
	address string
	health  *rpc.Health
	conn    *grpc.ClientConn
}

const maxMessage = 1 << 20

// newService returns a service for a running manager, with the given memory
// limit.
func newService(running inferencetest.Running, memory int64, log slog.Handler) *serve.Service {
	return &serve.Service{
		Manager: running.Manager, Metrics: serve.NewMetrics(running.Gatherer), Memory: serve.NewMemory(memory),
		Timeout: time.Minute, Log: slog.New(log),
	}
}

func start(t *testing.T, models ...string) *service {
	t.Helper()
	home := inferencetest.New(t)
	home.Serve(t, models...)
	running := home.Start(t)
	s := &service{health: rpc.NewHealth()}
	api := rpc.New(rpc.Options{
		Service: newService(running, 4*maxMessage, slog.DiscardHandler), Health: s.health, MaxMessage: maxMessage,
	})
	s.address = listen(t, api)
	s.conn = dial(t, s.address)
	return s
}

func dial(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func (s *service) predict(ctx context.Context, r *pb.PredictRequest) (*pb.PredictResponse, error) {
	answer := &pb.PredictResponse{}
	return answer, s.conn.Invoke(ctx, "/tensorflow.serving.PredictionService/Predict", r, answer)
}

// images is a batch of blank images in the given dimensions.
func images(dims ...int64) *tensorpb.TensorProto {
	shape := &shapepb.TensorShapeProto{}
	n := int64(1)
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
		n *= d
	}
	return &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: shape, TensorContent: make([]byte, 4*n)}
}

func request(model string, input *tensorpb.TensorProto) *pb.PredictRequest {
	return &pb.PredictRequest{
		ModelSpec: &pb.ModelSpec{Name: model},
		Inputs:    map[string]*tensorpb.TensorProto{"images": input},
	}
}

func TestPredict(t *testing.T) {
	s := start(t, "digits")
	answer, err := s.predict(t.Context(), request("digits", images(2, 32, 32, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if spec := answer.GetModelSpec(); spec.GetName() != "digits" || spec.GetVersion().GetValue() != 1 || spec.GetSignatureName() != "serving_default" {
		t.Errorf("answered by %v", spec)
	}
	p, l := answer.GetOutputs()["probabilities"], answer.GetOutputs()["logits"]
	if len(answer.GetOutputs()) != 2 || len(p.GetFloatVal()) != 20 || len(l.GetFloatVal()) != 20 || p.GetTensorShape().GetDim()[1].GetSize() != 10 {
		t.Fatalf("outputs %v", answer.GetOutputs())
	}

	// The last value of float_val is repeated for all that follow.
	short := images(2, 32, 32, 1)
	short.TensorContent, short.FloatVal = nil, []float32{0}
	again, err := s.predict(t.Context(), request("digits", short))
	if err != nil || !slices.Equal(again.GetOutputs()["logits"].GetFloatVal(), l.GetFloatVal()) {
		t.Errorf("one value for all: %v", err)
	}

	filtered := request("digits", images(1, 32, 32, 1))
	filtered.OutputFilter = []string{"logits"}
	filtered.ModelSpec.VersionChoice = &pb.ModelSpec_VersionLabel{VersionLabel: "production"}
	filtered.ModelSpec.SignatureName = "serving_default"
	only, err := s.predict(t.Context(), filtered)
	if err != nil || len(only.GetOutputs()) != 1 || only.GetOutputs()["logits"] == nil {
		t.Errorf("filtered: %v, %v", only.GetOutputs(), err)
	}
}

func TestErrors(t *testing.T) {
	s := start(t, "digits")
	good := func() *pb.PredictRequest { return request("digits", images(1, 32, 32, 1)) }
	change := func(f func(*pb.PredictRequest)) *pb.PredictRequest {
		r := good()
		f(r)
		return r
	}
	for _, test := range []struct {
		name    string
		request *pb.PredictRequest
		want    codes.Code
	}{
		{"good", good(), codes.OK},
		{"nothing", &pb.PredictRequest{}, codes.InvalidArgument},
		{"unknown model", request("flowers", images(1, 32, 32, 1)), codes.NotFound},
		{"unknown version", change(func(r *pb.PredictRequest) {
			r.ModelSpec.VersionChoice = &pb.ModelSpec_Version{Version: wrapperspb.Int64(9)}
		}), codes.NotFound},
		{"version zero", change(func(r *pb.PredictRequest) {
			r.ModelSpec.VersionChoice = &pb.ModelSpec_Version{Version: wrapperspb.Int64(0)}
		}), codes.InvalidArgument},
		{"unknown label", change(func(r *pb.PredictRequest) {
			r.ModelSpec.VersionChoice = &pb.ModelSpec_VersionLabel{VersionLabel: "canary"}
		}), codes.NotFound},
		{"unknown signature", change(func(r *pb.PredictRequest) { r.ModelSpec.SignatureName = "train" }), codes.InvalidArgument},
		{"unknown output", change(func(r *pb.PredictRequest) { r.OutputFilter = []string{"embedding"} }), codes.InvalidArgument},
		{"no input", change(func(r *pb.PredictRequest) { r.Inputs = nil }), codes.InvalidArgument},
		{"an infinite value", change(func(r *pb.PredictRequest) {
			binary.LittleEndian.PutUint32(r.Inputs["images"].TensorContent, math.Float32bits(float32(math.Inf(1))))
		}), codes.InvalidArgument},
		{"values in two places", change(func(r *pb.PredictRequest) { r.Inputs["images"].FloatVal = []float32{1} }), codes.InvalidArgument},
		{"a shape of unknown rank", change(func(r *pb.PredictRequest) { r.Inputs["images"].TensorShape.UnknownRank = true }), codes.InvalidArgument},
		{"a long name", request(strings.Repeat("x", 1<<19), images(1, 32, 32, 1)), codes.InvalidArgument},
		{"another input", change(func(r *pb.PredictRequest) { r.Inputs["x"] = images(1) }), codes.InvalidArgument},
		{"wrong type", change(func(r *pb.PredictRequest) { r.Inputs["images"].Dtype = typespb.DataType_DT_UINT8 }), codes.InvalidArgument},
		{"wrong rank", request("digits", images(32, 32, 1)), codes.InvalidArgument},
		{"no image", request("digits", images(0, 32, 32, 1)), codes.InvalidArgument},
		{"too many images", request("digits", images(inferencetest.MaxImages+1, 32, 32, 1)), codes.InvalidArgument},
		{"absurd shape", change(func(r *pb.PredictRequest) {
			r.Inputs["images"].TensorShape.Dim[0].Size = 1 << 62
		}), codes.InvalidArgument},
		{"too few bytes", change(func(r *pb.PredictRequest) {
			r.Inputs["images"].TensorContent = r.Inputs["images"].TensorContent[4:]
		}), codes.InvalidArgument},
		{"no values", change(func(r *pb.PredictRequest) { r.Inputs["images"].TensorContent = nil }), codes.InvalidArgument},
		{"too many values", change(func(r *pb.PredictRequest) {
			r.Inputs["images"].TensorContent, r.Inputs["images"].FloatVal = nil, make([]float32, 32*32+1)
		}), codes.InvalidArgument},
		{"too large a message", change(func(r *pb.PredictRequest) { r.Inputs["images"].TensorContent = make([]byte, 1<<20) }), codes.ResourceExhausted},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.predict(t.Context(), test.request)
			if status.Code(err) != test.want {
				t.Errorf("%v, want %v", err, test.want)
			}
			if len(status.Convert(err).Message()) > 1100 {
				t.Errorf("a message of %d bytes", len(status.Convert(err).Message()))
			}
		})
	}
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		if _, err := s.predict(ctx, good()); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%v", err)
		}
	})
	t.Run("unknown method", func(t *testing.T) {
		err := s.conn.Invoke(t.Context(), "/tensorflow.serving.PredictionService/Regress", good(), &pb.PredictResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%v", err)
		}
	})
}

func TestDescriptions(t *testing.T) {
	s := start(t, "digits")
	var metadata pb.GetModelMetadataResponse
	ask := func(method string, r, answer proto.Message) error {
		return s.conn.Invoke(t.Context(), "/tensorflow.serving."+method, r, answer)
	}
	spec := &pb.ModelSpec{Name: "digits"}
	err := ask("PredictionService/GetModelMetadata", &pb.GetModelMetadataRequest{ModelSpec: spec, MetadataField: []string{"signature_def"}}, &metadata)
	if err != nil {
		t.Fatal(err)
	}
	var signatures pb.SignatureDefMap
	if err := metadata.GetMetadata()["signature_def"].UnmarshalTo(&signatures); err != nil {
		t.Fatal(err)
	}
	signature := signatures.GetSignatureDef()["serving_default"]
	in := signature.GetInputs()["images"]
	if in.GetDtype() != typespb.DataType_DT_FLOAT || in.GetTensorShape().GetDim()[1].GetSize() != 32 || signature.GetOutputs()["logits"] == nil || signature.GetMethodName() != "tensorflow/serving/predict" {
		t.Errorf("signature %v", signature)
	}
	if err := ask("PredictionService/GetModelMetadata", &pb.GetModelMetadataRequest{ModelSpec: spec}, &metadata); status.Code(err) != codes.InvalidArgument {
		t.Errorf("metadata of no field: %v", err)
	}

	var state pb.GetModelStatusResponse
	if err := ask("ModelService/GetModelStatus", &pb.GetModelStatusRequest{ModelSpec: spec}, &state); err != nil {
		t.Fatal(err)
	}
	if v := state.GetModelVersionStatus(); len(v) != 1 || v[0].GetVersion() != 1 || v[0].GetState() != pb.ModelVersionStatus_AVAILABLE {
		t.Errorf("status %v", v)
	}
	if err := ask("ModelService/GetModelStatus", &pb.GetModelStatusRequest{ModelSpec: &pb.ModelSpec{Name: "flowers"}}, &state); status.Code(err) != codes.NotFound {
		t.Errorf("status of an unknown model: %v", err)
	}
}

func TestHealth(t *testing.T) {
	s := start(t, "digits")
	client := grpc_health_v1.NewHealthClient(s.conn)
	for _, ready := range []bool{false, true, false} {
		s.health.Set(ready)
		for _, service := range []string{"", "tensorflow.serving.PredictionService"} {
			answer, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
			if err != nil || (answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING) != ready {
				t.Errorf("ready %v: %q is %v, %v", ready, service, answer.GetStatus(), err)
			}
		}
	}
}

// The error names the mistake in the request, and the alternatives.
func TestErrorsName(t *testing.T) {
	s := start(t, "digits")
	input := func(name string, dtype typespb.DataType) *pb.PredictRequest {
		x := images(1, 32, 32, 1)
		x.Dtype = dtype
		return &pb.PredictRequest{ModelSpec: &pb.ModelSpec{Name: "digits"}, Inputs: map[string]*tensorpb.TensorProto{name: x}}
	}
	changed := func(change func(x *tensorpb.TensorProto)) *pb.PredictRequest {
		r := input("images", typespb.DataType_DT_FLOAT)
		change(r.Inputs["images"])
		return r
	}
	for want, r := range map[string]*pb.PredictRequest{
		`values in int_val`: changed(func(x *tensorpb.TensorProto) { x.IntVal = []int32{1} }),
		`has no shape`:      changed(func(x *tensorpb.TensorProto) { x.TensorShape.UnknownRank = true }),
		`of the shape [1099511627776 32 32 1] takes more than`: changed(func(x *tensorpb.TensorProto) {
			x.TensorShape.Dim[0].Size, x.TensorContent, x.FloatVal = 1<<40, nil, []float32{0}
		}),
		`there is no input "image"; want ["images"]`: input("image", typespb.DataType_DT_FLOAT),
		`is DT_HALF; want DT_FLOAT`:                  input("images", typespb.DataType_DT_HALF),
		`is DT_DOUBLE`:                               input("images", typespb.DataType_DT_DOUBLE),
		`is DT_STRING`:                               input("images", typespb.DataType_DT_STRING),
	} {
		if _, err := s.predict(t.Context(), r); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A client in another language that uses TensorFlow Serving's field numbers can
// use the server.
func TestPythonClient(t *testing.T) {
	python := needs.Python(t)
	s := start(t, "digits")
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "client.py"), s.address, "digits")
	cmd.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3")
	out, err := cmd.Output()
	if err != nil {
		stderr := []byte(nil)
		if e, ok := err.(*exec.ExitError); ok {
			stderr = e.Stderr
		}
		t.Fatalf("%s (the project's set-up installs it; or set TKIT_PYTHON): %v\n%s", python, err, stderr)
	}
	var answer struct {
		Model   string
		Version int
		Outputs map[string][]float32
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	want, err := s.predict(t.Context(), request("digits", images(1, 32, 32, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Model != "digits" || answer.Version != 1 ||
		!slices.Equal(answer.Outputs["probabilities"], want.GetOutputs()["probabilities"].GetFloatVal()) {
		t.Errorf("Python got %+v, Go %v", answer, want)
	}
}

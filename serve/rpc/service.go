// Package rpc is the gRPC API of TensorFlow Serving:
// tensorflow.serving.PredictionService (Predict, GetModelMetadata),
// tensorflow.serving.ModelService (GetModelStatus), and gRPC's own health
// service and reflection. Existing clients of TensorFlow Serving work
// unchanged; its other methods return UNIMPLEMENTED.
//
// The server is a handler of net/http, like the HTTP API, so that the same limits
// apply to both: on connections, on the time to receive a request, and on the memory
// of requests. grpc-go's server reads whole messages into memory before it calls
// other code, so it answers only health checks and reflection, whose messages are
// small.
package rpc

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"

	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // for clients that compress their messages
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"

	"tkit/access"
	"tkit/registry"
	"tkit/serve"
)

// Options configure a server.
type Options struct {
	*serve.Service
	Health     *Health
	MaxMessage int // bytes of a request, decompressed
	// Authenticate finds the caller by the metadata "authorization"; nil means that
	// requests are not authenticated. The health service requires no
	// authentication.
	Authenticate func(ctx context.Context, header string) (access.Caller, error)
}

// A Server is the API as an HTTP handler for requests over HTTP/2.
type Server struct {
	Options
	methods         map[string]method
	grpc            *grpc.Server    // serves health checks and reflection
	checks, watches *serve.Memory   // of health checks
	stopping        context.Context // ends health watches
	stop            context.CancelFunc
}

// New returns a server. The caller serves it over HTTP/2, and closes it.
func New(o Options) *Server {
	s := &Server{Options: o, methods: methods, checks: serve.NewMemory(healthMemory), watches: serve.NewMemory(healthMemory)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(reflectionMessages),
		grpc.UnaryInterceptor(s.guardUnary), grpc.StreamInterceptor(s.guardStream),
	)
	grpc_health_v1.RegisterHealthServer(s.grpc, o.Health)
	known := reflection.ServerOptions{Services: s}
	reflectionv1.RegisterServerReflectionServer(s.grpc, reflection.NewServerV1(known))
	reflectionv1alpha.RegisterServerReflectionServer(s.grpc, reflection.NewServer(known))
	return s
}

// EndWatches ends health watches, which do not end by themselves.
func (s *Server) EndWatches() { s.stop() }

// Close aborts the calls in flight.
func (s *Server) Close() {
	s.stop()
	s.grpc.Stop()
}

// A method answers the message of a call. Its name is for measurements.
type method struct {
	name   string
	answer func(s *Server, ctx context.Context, raw []byte, c *serve.Call) (proto.Message, error)
}

// A message is a pointer to a generated message.
type message[M any] interface {
	*M
	proto.Message
}

// unary returns the method that calls a function.
func unary[Request, Answer any, PRequest message[Request], PAnswer message[Answer]](
	name string, answer func(*Server, context.Context, PRequest, *serve.Call) (PAnswer, error)) method {
	return method{name, func(s *Server, ctx context.Context, raw []byte, c *serve.Call) (proto.Message, error) {
		request := PRequest(new(Request))
		if err := s.unmarshal(raw, request, c.Account); err != nil {
			return nil, err
		}
		return answer(s, ctx, request, c)
	}}
}

// The supported methods of TensorFlow Serving's prediction_service.proto and
// model_service.proto.
const (
	predictionService = "tensorflow.serving.PredictionService"
	modelService      = "tensorflow.serving.ModelService"
)

var methods = map[string]method{
	"/" + predictionService + "/Predict":          unary("predict", (*Server).predict),
	"/" + predictionService + "/GetModelMetadata": unary("metadata", (*Server).metadata),
	"/" + modelService + "/GetModelStatus":        unary("status", (*Server).status),
}

// GetServiceInfo lists the services for reflection.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := s.grpc.GetServiceInfo()
	all[predictionService] = grpc.ServiceInfo{Metadata: pb.File_tensorflow_serving_apis_prediction_service_proto.Path()}
	all[modelService] = grpc.ServiceInfo{Metadata: pb.File_tensorflow_serving_apis_model_service_proto.Path()}
	return all
}

// guardUnary turns a panic into an error.
func (s *Server) guardUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer s.recovered(ctx, info.FullMethod, &err)
	return handle(ctx, request)
}

// guardStream turns a panic into an error. It ends a watch when the server stops, and
// after a time limit.
func (s *Server) guardStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer s.recovered(stream.Context(), info.FullMethod, &err)
	ctx, cancel := context.WithTimeout(stream.Context(), watching)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return handle(server, brief{stream, ctx})
}

// A brief stream has a context that ends before the client's.
type brief struct {
	grpc.ServerStream
	ctx context.Context
}

func (b brief) Context() context.Context { return b.ctx }

// recovered turns a panic in grpc-go's goroutine of a call into an error.
func (s *Server) recovered(ctx context.Context, method string, err *error) {
	if p := recover(); p != nil {
		s.Log.ErrorContext(ctx, "panic in a call", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = statusOf(errors.New("panic")).Err()
	}
}

// longestName is the maximum length of the name of a model or label, in bytes.
const longestName = 256

// refOf returns the ref of a model spec.
func refOf(spec *pb.ModelSpec) (registry.Ref, error) {
	ref := registry.Ref{Model: spec.GetName(), Alias: spec.GetVersionLabel()}
	if ref.Model == "" {
		return ref, badRequest("model_spec.name is missing")
	}
	if len(ref.Model) > longestName || len(ref.Alias) > longestName {
		return ref, badRequest("model_spec has a name longer than %d bytes", longestName)
	}
	if v, ok := spec.GetVersionChoice().(*pb.ModelSpec_Version); ok {
		n, err := strconv.Atoi(strconv.FormatInt(v.Version.GetValue(), 10))
		if err != nil || n < 1 {
			return ref, badRequest("model_spec.version must be 1 or more")
		}
		ref.Version = n
	}
	return ref, nil
}

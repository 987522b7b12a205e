// Package rpc answers over gRPC as TensorFlow Serving does:
// tensorflow.serving.PredictionService (Predict, GetModelMetadata),
// tensorflow.serving.ModelService (GetModelStatus), and gRPC's own health
// service and reflection. Existing clients of TensorFlow Serving work
// unchanged; its other methods answer UNIMPLEMENTED.
package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strconv"
	"time"

	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"tkit/internal/access"
	"tkit/serve"
)

// Options say what a server answers with.
type Options struct {
	Manager    *serve.Manager
	Metrics    *serve.Metrics
	Health     *Health
	MaxMessage int           // bytes of a request
	Timeout    time.Duration // of a request without a deadline; 0: none
	Log        *slog.Logger
	// Authenticate finds the caller by the metadata "authorization"; nil:
	// nobody asks. The health service answers everybody.
	Authenticate func(header string) (access.Caller, error)
	TLS          *tls.Config // nil: in clear
}

// maxStreams bounds the calls at a time on one connection, and so the memory
// that their messages take.
const maxStreams = 64

// New makes the gRPC server; the caller serves and stops it.
func New(o Options) *grpc.Server {
	s := &service{o}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(o.MaxMessage), grpc.MaxConcurrentStreams(maxStreams),
		grpc.UnaryInterceptor(s.guard),
	}
	if o.Authenticate != nil {
		options = append(options, grpc.InTapHandle(s.authenticate))
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&predictionService, s)
	server.RegisterService(&modelService, s)
	grpc_health_v1.RegisterHealthServer(server, o.Health)
	reflection.Register(server)
	return server
}

type service struct{ Options }

// predictionService and modelService describe the services of TensorFlow
// Serving's prediction_service.proto and model_service.proto, as far as they
// are answered here.
var (
	predictionService = grpc.ServiceDesc{
		ServiceName: "tensorflow.serving.PredictionService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("tensorflow.serving.PredictionService", "Predict", (*service).predict),
			method("tensorflow.serving.PredictionService", "GetModelMetadata", (*service).metadata),
		},
		Metadata: pb.File_tensorflow_serving_apis_prediction_service_proto.Path(),
	}
	modelService = grpc.ServiceDesc{
		ServiceName: "tensorflow.serving.ModelService",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("tensorflow.serving.ModelService", "GetModelStatus", (*service).status),
		},
		Metadata: pb.File_tensorflow_serving_apis_model_service_proto.Path(),
	}
)

// method describes a method that a function of the service answers.
func method[Request any, Response any](service_, name string, answer func(*service, context.Context, *Request) (Response, error)) grpc.MethodDesc {
	full := "/" + service_ + "/" + name
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			request := new(Request)
			if err := decode(request); err != nil {
				return nil, err
			}
			handle := func(ctx context.Context, request any) (any, error) {
				return answer(server.(*service), ctx, request.(*Request))
			}
			return intercept(ctx, request, &grpc.UnaryServerInfo{Server: server, FullMethod: full}, handle)
		},
	}
}

// guard gives every call a deadline, turns a panic into an error and errors
// into gRPC's.
func (s *service) guard(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "panic in a request", "method", info.FullMethod, "panic", p)
			answer, err = nil, statusError(errors.New("the request met a defect of the server"))
		}
	}()
	if _, ok := ctx.Deadline(); !ok && s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Timeout)
		defer cancel()
	}
	answer, err = handle(ctx, request)
	if err != nil {
		if serve.ReasonOf(err) == serve.Internal {
			s.Log.ErrorContext(ctx, "a request failed", "method", info.FullMethod, "error", err)
		}
		return nil, statusError(err)
	}
	return answer, nil
}

// refOf reads a model spec.
func refOf(spec *pb.ModelSpec) (serve.Ref, error) {
	ref := serve.Ref{Model: spec.GetName(), Label: spec.GetVersionLabel()}
	if ref.Model == "" {
		return ref, &serve.Error{Reason: serve.BadRequest, Err: errors.New("model_spec.name is missing")}
	}
	if v, ok := spec.GetVersionChoice().(*pb.ModelSpec_Version); ok {
		n, err := strconv.Atoi(strconv.FormatInt(v.Version.GetValue(), 10))
		if err != nil || n < 1 {
			return ref, &serve.Error{Reason: serve.BadRequest, Err: errors.New("model_spec.version must be 1 or more")}
		}
		ref.Version = n
	}
	return ref, nil
}

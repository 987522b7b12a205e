package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tkit/plugins/internal/contract"
	"tkit/plugins/internal/shared"
	"tkit/plugins/internal/wire"
	"tkit/plugins/proto"
)

// server implements the contract for a Preprocessor.
type server struct {
	proto.UnimplementedPreprocessorServer
	preprocessor Preprocessor
	area         *shared.Area  // nil if the host shares no memory
	turn         chan struct{} // holds a value while a batch is processed
}

func newServer(p Preprocessor) (*server, error) {
	s := &server{preprocessor: p, turn: make(chan struct{}, 1)}
	text := os.Getenv(contract.MemoryVariable)
	if text == "" {
		return s, nil
	}
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s=%s is not a file descriptor", contract.MemoryVariable, text)
	}
	s.area, err = shared.Attach(uintptr(fd))
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return s, err
}

func (s *server) Describe(context.Context, *proto.DescribeRequest) (*proto.Description, error) {
	d := s.preprocessor.Describe()
	return &proto.Description{
		Name: d.Name, Version: d.Version, Summary: d.Summary, ConfigSchema: d.ConfigSchema,
		Takes: form(d.Takes), Gives: form(d.Gives),
		Deterministic: d.Deterministic, SharedMemory: s.area != nil,
	}, nil
}

func (s *server) Process(ctx context.Context, r *proto.ProcessRequest) (*proto.ProcessResponse, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	in, err := wire.Batch(r.GetBatch(), s.area)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "the batch: %v", err)
	}
	out, err := s.preprocessor.Process(ctx, r.GetConfig(), in)
	if fault := (*ImageError)(nil); errors.As(err, &fault) {
		return &proto.ProcessResponse{Answer: &proto.ProcessResponse_Fault{
			Fault: &proto.ImageFault{Image: uint32(fault.Image), Reason: fault.Reason},
		}}, nil
	}
	if err != nil {
		return nil, status.Error(codes.Unknown, err.Error())
	}
	if err := out.Validate(); err != nil {
		return nil, status.Errorf(codes.Internal, "it returned %v", err)
	}
	m, err := s.answer(r, out)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "its result: %v", err)
	}
	return &proto.ProcessResponse{Answer: &proto.ProcessResponse_Batch{Batch: m}}, nil
}

// answer returns the message for out, and copies out into the shared memory if
// it fits.
func (s *server) answer(r *proto.ProcessRequest, out Batch) (*proto.Batch, error) {
	if s.area == nil {
		return wire.Inline(out), nil
	}
	if given := r.GetBatch().GetShared(); given != nil {
		memory, err := s.area.Bytes(given.GetOffset(), given.GetLength())
		if err != nil {
			return nil, err
		}
		if m, ok := wire.Within(out, memory, given.GetOffset()); ok {
			return m, nil
		}
	}
	room := r.GetRoom()
	if uint64(wire.Size(out)) > room.GetLength() {
		return wire.Inline(out), nil
	}
	memory, err := s.area.Bytes(room.GetOffset(), room.GetLength())
	if err != nil {
		return nil, err
	}
	return wire.Shared(out, memory, room.GetOffset()), nil
}

func (s *server) Settle(ctx context.Context, _ *proto.SettleRequest) (*proto.SettleResponse, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.end()
	return &proto.SettleResponse{}, nil
}

func (s *server) begin(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (s *server) end() { <-s.turn }

func form(f Form) *proto.Form {
	return &proto.Form{Kind: proto.Kind(f.Kind), Height: int32(f.Shape[0]), Width: int32(f.Shape[1]), Channels: int32(f.Shape[2])}
}

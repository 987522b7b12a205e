package rpc

import (
	"context"
	"fmt"
	"maps"
	"slices"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tkit/inference"
	"tkit/serve"
)

// predict answers PredictionService.Predict: tensors in, tensors out.
func (s *Server) predict(ctx context.Context, r *pb.PredictRequest, c *serve.Call) (*pb.PredictResponse, error) {
	ref, err := refOf(r.GetModelSpec())
	if err != nil {
		return nil, err
	}
	h, err := c.Find(ctx, ref)
	if err != nil {
		return nil, err
	}
	signature, takes, err := h.Signature(r.GetModelSpec().GetSignatureName())
	if err != nil {
		return nil, err
	}
	var inputs []inference.Tensor
	for _, name := range slices.Sorted(maps.Keys(r.GetInputs())) {
		in, err := s.readTensor(name, r.GetInputs()[name], takes, c.Account)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, in)
	}
	outputs, _, err := h.Run(ctx, signature, inputs, r.GetOutputFilter())
	if err != nil {
		return nil, err
	}
	answer := &pb.PredictResponse{ModelSpec: specOf(h, signature), Outputs: map[string]*tensorpb.TensorProto{}}
	for _, o := range outputs {
		answer.Outputs[o.Name] = tensorProto(o)
	}
	return answer, nil
}

// specOf identifies the version that computed a response.
func specOf(h *inference.Handle, signature string) *pb.ModelSpec {
	return &pb.ModelSpec{
		Name:          h.Model,
		VersionChoice: &pb.ModelSpec_Version{Version: wrapperspb.Int64(int64(h.Number))},
		SignatureName: signature,
	}
}

func badRequest(format string, args ...any) error {
	return &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf(format, args...)}
}

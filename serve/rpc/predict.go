package rpc

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tkit/inference"
	"tkit/registry"
)

// predict answers PredictionService.Predict: tensors in, tensors out.
func (s *Server) predict(ctx context.Context, r *pb.PredictRequest) (answer *pb.PredictResponse, err error) {
	begun := time.Now()
	var model, version string
	defer func() {
		outcome := "ok"
		if err != nil {
			outcome = string(inference.ReasonOf(err))
		}
		s.Metrics.Request("grpc", "predict", model, version, outcome, time.Since(begun))
	}()
	ref, err := refOf(r.GetModelSpec())
	if err != nil {
		return nil, err
	}
	servable, err := s.Manager.Acquire(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer servable.Release()
	model, version = servable.Manifest.Model, strconv.Itoa(servable.Manifest.Version)

	if err := servable.CheckSignature(r.GetModelSpec().GetSignatureName()); err != nil {
		return nil, err
	}
	input, err := onlyInput(r.GetInputs(), servable.Input())
	if err != nil {
		return nil, err
	}
	wanted, err := filter(servable.Outputs(), r.GetOutputFilter())
	if err != nil {
		return nil, err
	}
	shape, err := shapeOf(input, servable.Input())
	if err != nil {
		return nil, err
	}
	if err := servable.CheckShape(shape); err != nil {
		return nil, err
	}
	values, err := floats(input, shape)
	if err != nil {
		return nil, err
	}
	outputs, err := servable.Predict(ctx, shape, values)
	if err != nil {
		return nil, err
	}
	answer = &pb.PredictResponse{ModelSpec: specOf(servable), Outputs: map[string]*tensorpb.TensorProto{}}
	for _, o := range outputs {
		if slices.Contains(wanted, o.Name) {
			answer.Outputs[o.Name] = tensorProto(o)
		}
	}
	return answer, nil
}

// specOf says which servable answered.
func specOf(s *inference.Servable) *pb.ModelSpec {
	return &pb.ModelSpec{
		Name:          s.Manifest.Model,
		VersionChoice: &pb.ModelSpec_Version{Version: wrapperspb.Int64(int64(s.Manifest.Version))},
		SignatureName: inference.DefaultSignature,
	}
}

// onlyInput is the tensor for the model's input, and there is no other.
func onlyInput(inputs map[string]*tensorpb.TensorProto, port registry.Port) (*tensorpb.TensorProto, error) {
	for name := range inputs {
		if name != port.Name {
			return nil, badRequest("the model has no input %.100q; its input is %q", name, port.Name)
		}
	}
	input, ok := inputs[port.Name]
	if !ok {
		return nil, badRequest("input %q is missing; the model has no other", port.Name)
	}
	if input.GetDtype() != typespb.DataType_DT_FLOAT {
		return nil, badRequest("input %q is %v; the model takes DT_FLOAT", port.Name, input.GetDtype())
	}
	if field := unread(input); field != "" {
		return nil, badRequest("input %q has values in %s; those of a DT_FLOAT are in tensor_content or float_val", port.Name, field)
	}
	return input, nil
}

// unread names a field of a tensor that says something nobody reads here, or "".
func unread(t *tensorpb.TensorProto) (name string) {
	read := []protoreflect.Name{"dtype", "tensor_shape", "version_number", "tensor_content", "float_val"}
	t.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(read, f.Name()) {
			name = string(f.Name())
		}
		return name == ""
	})
	return name
}

// filter is the names of the outputs asked for; an empty filter asks for all.
func filter(ports []registry.Port, names []string) ([]string, error) {
	var all []string
	for _, p := range ports {
		all = append(all, p.Name)
	}
	if len(names) == 0 {
		return all, nil
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			return nil, badRequest("output_filter: the model has no output %.100q; it has %q", n, all)
		}
	}
	return names, nil
}

// shapeOf reads a shape, of which only the rank is checked here.
func shapeOf(t *tensorpb.TensorProto, port registry.Port) ([]int64, error) {
	if t.GetTensorShape().GetUnknownRank() {
		return nil, badRequest("input %q does not say its shape; the model takes %d dimensions: images, rows, columns, channels", port.Name, len(port.Shape))
	}
	if n := len(t.GetTensorShape().GetDim()); n != len(port.Shape) {
		return nil, badRequest("input %q has %d dimensions; the model takes %d: images, rows, columns, channels", port.Name, n, len(port.Shape))
	}
	var shape []int64
	for _, d := range t.GetTensorShape().GetDim() {
		shape = append(shape, d.GetSize())
	}
	return shape, nil
}

// floats reads the values of a tensor whose shape has been checked. As in
// TensorFlow, they are in tensor_content or in float_val, of which the last
// stands for all that are left out.
func floats(t *tensorpb.TensorProto, shape []int64) ([]float32, error) {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	if raw := t.GetTensorContent(); len(raw) > 0 {
		if len(t.GetFloatVal()) > 0 {
			return nil, badRequest("the tensor has values in tensor_content and in float_val: give one of them")
		}
		if len(raw) != 4*n {
			return nil, badRequest("tensor_content has %d bytes; shape %v of DT_FLOAT has %d", len(raw), shape, 4*n)
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return values, nil
	}
	given := t.GetFloatVal()
	if len(given) == 0 || len(given) > n {
		return nil, badRequest("the tensor has %d values in float_val and none in tensor_content; shape %v has %d", len(given), shape, n)
	}
	values := slices.Grow(slices.Clone(given), n-len(given))
	for len(values) < n {
		values = append(values, given[len(given)-1])
	}
	return values, nil
}

// tensorProto writes an output. Its values go into float_val, where TensorFlow
// Serving puts them and clients look.
func tensorProto(o inference.Output) *tensorpb.TensorProto {
	shape := &shapepb.TensorShapeProto{}
	for _, d := range o.Shape {
		shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: shape, FloatVal: o.Values}
}

func badRequest(format string, args ...any) error {
	return &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf(format, args...)}
}

package rpc

import (
	"context"
	"slices"

	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	corepb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/protobuf/types/known/anypb"

	"tkit/inference"
	"tkit/internal/savedmodel"
	"tkit/serve"
)

// signatureField is the only metadata field, as in TensorFlow Serving.
const signatureField = "signature_def"

// metadata answers PredictionService.GetModelMetadata.
func (s *Server) metadata(ctx context.Context, r *pb.GetModelMetadataRequest, c *serve.Call) (*pb.GetModelMetadataResponse, error) {
	ref, err := refOf(r.GetModelSpec())
	if err != nil {
		return nil, err
	}
	if fields := r.GetMetadataField(); len(fields) == 0 || slices.ContainsFunc(fields, func(f string) bool { return f != signatureField }) {
		return nil, badRequest("metadata_field must be %q", signatureField)
	}
	h, err := c.Find(ctx, ref)
	if err != nil {
		return nil, err
	}
	defs := &pb.SignatureDefMap{SignatureDef: map[string]*corepb.SignatureDef{}}
	for name, signature := range h.Signatures() {
		def := &corepb.SignatureDef{Inputs: tensorInfos(signature.Inputs), Outputs: tensorInfos(signature.Outputs)}
		savedmodel.SetMethod(def, signature.Method)
		defs.SignatureDef[name] = def
	}
	signatures, err := anypb.New(defs)
	if err != nil {
		return nil, err
	}
	return &pb.GetModelMetadataResponse{
		ModelSpec: specOf(h, inference.DefaultSignature),
		Metadata:  map[string]*anypb.Any{signatureField: signatures},
	}, nil
}

func tensorInfos(all []inference.TensorInfo) map[string]*corepb.TensorInfo {
	infos := map[string]*corepb.TensorInfo{}
	for _, p := range all {
		shape := &shapepb.TensorShapeProto{UnknownRank: p.Shape == nil}
		for _, d := range p.Shape {
			shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
		}
		infos[p.Name] = &corepb.TensorInfo{
			Encoding:    &corepb.TensorInfo_Name{Name: p.Tensor},
			Dtype:       typespb.DataType(p.DataType),
			TensorShape: shape,
		}
	}
	return infos
}

// states are TensorFlow Serving's names for the states.
var states = map[inference.State]pb.ModelVersionStatus_State{
	inference.Start:     pb.ModelVersionStatus_START,
	inference.Loading:   pb.ModelVersionStatus_LOADING,
	inference.Available: pb.ModelVersionStatus_AVAILABLE,
	inference.Unloading: pb.ModelVersionStatus_UNLOADING,
	inference.End:       pb.ModelVersionStatus_END,
}

// status answers ModelService.GetModelStatus.
func (s *Server) status(_ context.Context, r *pb.GetModelStatusRequest, _ *serve.Call) (*pb.GetModelStatusResponse, error) {
	ref, err := refOf(r.GetModelSpec())
	if err != nil {
		return nil, err
	}
	known, err := s.Manager.Status(ref)
	if err != nil {
		return nil, err
	}
	answer := &pb.GetModelStatusResponse{}
	for _, v := range known.Versions {
		one := &pb.ModelVersionStatus{Version: int64(v.Version), State: states[v.State], Status: &pb.StatusProto{}}
		if trouble := v.Trouble(); trouble != "" {
			one.Status.ErrorCode, one.Status.ErrorMessage = corepb.Code_UNKNOWN, trouble
		}
		answer.ModelVersionStatus = append(answer.ModelVersionStatus, one)
	}
	return answer, nil
}

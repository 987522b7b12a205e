package savedmodel

import (
	"encoding/binary"
	"maps"
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	variablepb "github.com/wamuir/graft/tensorflow/core/framework/variable_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// variables adds an initialiser with zeros for each variable: Python requires
// one before it restores. It returns the collections that list the variables.
func (b *builder) variables(weights []*network.Weight) (map[string]*metapb.CollectionDef, error) {
	zeros := map[tensorflow.DataType]string{}
	var all, trained [][]byte
	for _, w := range weights {
		if zeros[w.DataType] == "" {
			zeros[w.DataType] = b.add(network.ConstNode("zero/"+w.DataType.String(), w.DataType, []int64{}, make([]byte, w.DataType.Size())))
		}
		var dims []byte
		for _, d := range w.Shape {
			dims = binary.LittleEndian.AppendUint64(dims, uint64(d))
		}
		shape := b.add(network.ConstNode(w.Name+"/Initializer/shape", tensorflow.Int64, []int64{int64(len(w.Shape))}, dims))
		value := b.node("Fill", w.Name+"/Initializer/zeros",
			attributes{"T": typeAttribute(w.DataType), "index_type": typeAttribute(tensorflow.Int64)}, shape, zeros[w.DataType])
		assign := b.node("AssignVariableOp", w.Name+"/Assign", attributes{"dtype": typeAttribute(w.DataType)}, w.Name, value)
		def, err := deterministic.Marshal(&variablepb.VariableDef{
			VariableName: w.Name + ":0", InitialValueName: value + ":0", InitializerName: assign,
			SnapshotName: w.Name + readSuffix + ":0", IsResource: true, Trainable: w.Trainable,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, def)
		if w.Trainable {
			trained = append(trained, def)
		}
	}
	list := func(values [][]byte) *metapb.CollectionDef {
		return &metapb.CollectionDef{Kind: &metapb.CollectionDef_BytesList_{BytesList: &metapb.CollectionDef_BytesList{Value: values}}}
	}
	return map[string]*metapb.CollectionDef{globalVariables: list(all), trainableVariables: list(trained)}, nil
}

// saver adds the operations that save and restore the variables, like
// tf.compat.v1.train.Saver, and returns their names.
func (b *builder) saver(weights []*network.Weight) *metapb.SaverDef {
	text := attributes{"dtype": typeAttribute(tensorflow.String), "shape": shapeAttribute([]int64{})}
	const scope = "save/"
	file := b.node("PlaceholderWithDefault", scope+"filename", text, b.texts(scope+"filename/input", false, "model"))
	prefix := b.node("PlaceholderWithDefault", scope+"Const", maps.Clone(text), file)

	var names, reads []string
	types := &attrpb.AttrValue_ListValue{}
	for _, w := range weights {
		names = append(names, w.Name)
		reads = append(reads, w.Name+readSuffix)
		types.Type = append(types.Type, typespb.DataType(w.DataType))
	}
	dtypes := attributes{"dtypes": {Value: &attrpb.AttrValue_List{List: types}}}
	whole := make([]string, len(weights))

	save := b.node("SaveV2", scope+"SaveV2", dtypes, slices.Concat([]string{prefix,
		b.texts(scope+"SaveV2/tensor_names", true, names...), b.texts(scope+"SaveV2/shape_and_slices", true, whole...)}, reads)...)
	saved := b.node("Identity", scope+"control_dependency", attributes{"T": typeAttribute(tensorflow.String)}, prefix, "^"+save)

	restore := b.node("RestoreV2", scope+"RestoreV2", maps.Clone(dtypes), prefix,
		b.texts(scope+"RestoreV2/tensor_names", true, names...), b.texts(scope+"RestoreV2/shape_and_slices", true, whole...))
	var assigned []string
	for i, w := range weights {
		value := b.node("Identity", scope+"Identity", attributes{"T": typeAttribute(w.DataType)}, network.Output(restore, i).String())
		assigned = append(assigned, "^"+b.node("AssignVariableOp", scope+"AssignVariableOp", attributes{"dtype": typeAttribute(w.DataType)}, w.Name, value))
	}
	return &metapb.SaverDef{
		FilenameTensorName: prefix + ":0", SaveTensorName: saved + ":0",
		RestoreOpName: b.node("NoOp", scope+"restore_all", nil, assigned...),
		MaxToKeep:     5, KeepCheckpointEveryNHours: 10000, Version: metapb.SaverDef_V2,
	}
}

// assets adds a constant for the path of each asset, which a loader replaces by
// the actual path.
func (b *builder) assets(files map[string][]byte) []*metapb.AssetFileDef {
	var defs []*metapb.AssetFileDef
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := b.texts("asset_path", false, name)
		defs = append(defs, &metapb.AssetFileDef{
			TensorInfo: &metapb.TensorInfo{
				Encoding: &metapb.TensorInfo_Name{Name: path + ":0"}, Dtype: typespb.DataType_DT_STRING, TensorShape: shapeProto([]int64{}),
			},
			Filename: name,
		})
	}
	return defs
}

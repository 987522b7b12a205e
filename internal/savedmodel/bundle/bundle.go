// Package bundle reads and writes TensorFlow's checkpoints, also called tensor
// bundles: a sorted table of keys and descriptions (PREFIX.index) and one or
// more files of raw tensors (PREFIX.data-00000-of-00001). They form a
// SavedModel's "variables" folder.
//
// The format is defined in tensorflow/core/util/tensor_bundle: the index is a
// LevelDB table whose empty key has a BundleHeaderProto and whose other keys
// have a BundleEntryProto each. Every block of the index and every tensor has a
// masked CRC-32C, which is checked on reading.
package bundle

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
)

// ObjectGraphKey is the key of TensorFlow 2's serialized TrackableObjectGraph,
// a string scalar.
const ObjectGraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH"

// headerKey sorts before every other key.
const headerKey = ""

// version is TensorFlow's kTensorBundleVersion.
const version = 1

// A Tensor is an array of a fixed-size type: little-endian, row-major.
type Tensor struct {
	DataType types.DataType
	Shape    []int64
	Data     []byte
}

// mask keeps the checksum of data that contains checksums from degenerating.
// The constants are LevelDB's.
func mask(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sizes holds the element size of each type that a bundle stores flat.
var sizes = map[types.DataType]int64{
	types.DataType_DT_BOOL: 1, types.DataType_DT_INT8: 1, types.DataType_DT_UINT8: 1,
	types.DataType_DT_QINT8: 1, types.DataType_DT_QUINT8: 1,
	types.DataType_DT_INT16: 2, types.DataType_DT_UINT16: 2, types.DataType_DT_QINT16: 2, types.DataType_DT_QUINT16: 2,
	types.DataType_DT_HALF: 2, types.DataType_DT_BFLOAT16: 2,
	types.DataType_DT_INT32: 4, types.DataType_DT_UINT32: 4, types.DataType_DT_QINT32: 4, types.DataType_DT_FLOAT: 4,
	types.DataType_DT_INT64: 8, types.DataType_DT_UINT64: 8, types.DataType_DT_DOUBLE: 8, types.DataType_DT_COMPLEX64: 8,
	types.DataType_DT_COMPLEX128: 16,
}

// bytesOf returns the size of an array. Impossible shapes are an error.
func bytesOf(dt types.DataType, shape []int64) (int64, error) {
	size, ok := sizes[dt]
	if !ok {
		return 0, fmt.Errorf("type %s has no fixed size", dt)
	}
	for _, d := range shape {
		if d < 0 || d > 0 && size > math.MaxInt64/d {
			return 0, fmt.Errorf("impossible shape %v", shape)
		}
		size *= d
	}
	return size, nil
}

func shapeOf(p *shapepb.TensorShapeProto) ([]int64, error) {
	if p.GetUnknownRank() {
		return nil, fmt.Errorf("a stored tensor has no shape")
	}
	if len(p.GetDim()) > maxRank {
		return nil, fmt.Errorf("a stored tensor has rank %d, more than TensorFlow's maximum of %d", len(p.GetDim()), maxRank)
	}
	shape := make([]int64, len(p.GetDim()))
	for i, d := range p.GetDim() {
		shape[i] = d.GetSize()
	}
	return shape, nil
}

func shapeProto(shape []int64) *shapepb.TensorShapeProto {
	p := &shapepb.TensorShapeProto{}
	for d := range slices.Values(shape) {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return p
}

func shardName(prefix string, shard, shards int) string {
	return fmt.Sprintf("%s.data-%05d-of-%05d", prefix, shard, shards)
}

func indexName(prefix string) string { return prefix + ".index" }

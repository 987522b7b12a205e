package network

import (
	"fmt"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"

	"tkit/internal/tensorflow"
)

// maxRepeated bounds the total size of a network's constants beyond the bytes
// in its graph: a graph may give one value and a shape that repeats it.
const maxRepeated = 1 << 30

// checkConstant returns an error for a constant whose value cannot be held: its
// type has no fixed size, such as strings and resources, its shape is
// impossible, or its size does not match its shape.
func checkConstant(node *nodepb.NodeDef) error {
	if node.GetOp() != "Const" {
		return nil
	}
	value := node.GetAttr()["value"].GetTensor()
	if dt := tensorflow.DataType(value.GetDtype()); dt.Size() <= 0 {
		return fmt.Errorf("constant %q has values of type %v, but a network has only numbers; save the model without it", node.GetName(), dt)
	}
	size, err := constantSize(node)
	if err == nil && len(value.GetTensorContent()) > 0 && int64(len(value.GetTensorContent())) != size {
		err = fmt.Errorf("it has %d bytes, its shape needs %d", len(value.GetTensorContent()), size)
	}
	if err != nil {
		return fmt.Errorf("constant %q: %w", node.GetName(), err)
	}
	return nil
}

// constantSize returns the bytes that TensorFlow allocates for a constant.
// TensorFlow treats a value of unknown rank as a scalar.
func constantSize(node *nodepb.NodeDef) (int64, error) {
	value := node.GetAttr()["value"].GetTensor()
	shape := shapeOf(value.GetTensorShape())
	if shape == nil {
		shape = []int64{}
	}
	return byteSize(tensorflow.DataType(value.GetDtype()), shape)
}

// checkRepeated bounds the size of a graph's constants beyond the bytes in the
// graph itself.
func checkRepeated(nodes []*nodepb.NodeDef) error {
	total := int64(0)
	for _, node := range nodes {
		if node.GetOp() != "Const" {
			continue
		}
		size, err := constantSize(node)
		if err != nil {
			return fmt.Errorf("constant %q: %w", node.GetName(), err)
		}
		repeated := max(0, size-given(node.GetAttr()["value"].GetTensor()))
		if repeated > maxRepeated-total {
			return fmt.Errorf("constant %q: the constants that repeat a value take more than %d bytes in total; save the model with smaller ones", node.GetName(), maxRepeated)
		}
		total += repeated
	}
	return nil
}

// textHeader is the memory that TensorFlow allocates for each string of a
// tensor, besides the bytes of long ones.
const textHeader = 24

// CheckServedConstants checks the constants of a model that is served unchanged,
// including those of its functions: values must match their shapes, and those
// that repeat a value may take at most a gigabyte in total.
func CheckServedConstants(nodes []*nodepb.NodeDef) error {
	var numbers []*nodepb.NodeDef
	text := int64(0)
	for _, node := range nodes {
		value := node.GetAttr()["value"].GetTensor()
		if node.GetOp() != "Const" {
			continue
		}
		if tensorflow.DataType(value.GetDtype()) != tensorflow.String {
			if err := checkConstant(node); err != nil {
				return err
			}
			numbers = append(numbers, node)
			continue
		}
		count := int64(1)
		for _, d := range value.GetTensorShape().GetDim() {
			if d.GetSize() < 0 || d.GetSize() > maxRepeated/textHeader {
				return fmt.Errorf("constant %q has the impossible shape %v", node.GetName(), shapeOf(value.GetTensorShape()))
			}
			if count *= d.GetSize(); count > maxRepeated/textHeader {
				break
			}
		}
		if text += count * textHeader; text > maxRepeated {
			return fmt.Errorf("constant %q: the string constants take more than %d bytes in total", node.GetName(), maxRepeated)
		}
	}
	return checkRepeated(numbers)
}

// given returns approximately how many bytes of a value are in the graph.
func given(t *tensorpb.TensorProto) int64 {
	size := int64(tensorflow.DataType(t.GetDtype()).Size())
	values := len(t.GetFloatVal()) + len(t.GetDoubleVal()) + len(t.GetIntVal()) + len(t.GetInt64Val()) + len(t.GetBoolVal()) +
		len(t.GetHalfVal()) + len(t.GetUint32Val()) + len(t.GetUint64Val()) + len(t.GetScomplexVal())/2 + len(t.GetDcomplexVal())/2
	return int64(len(t.GetTensorContent())) + int64(values)*size
}

package builder

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// An Assignment sets a variable: feed Value and run Op.
type Assignment struct {
	Value tf.Output
	Op    *tf.Operation
}

// Assign adds an assignment for each variable.
func Assign(s *op.Scope, variables []Variable) []Assignment {
	s = s.SubScope("assign")
	out := make([]Assignment, len(variables))
	for i, v := range variables {
		each := s.SubScope(v.Name)
		value := op.Placeholder(each, tf.Float, op.PlaceholderShape(tf.MakeShape(dims(v.Shape)...)))
		out[i] = Assignment{Value: value, Op: op.AssignVariableOp(each, v.Handle, value)}
	}
	return out
}

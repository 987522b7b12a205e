package head

import (
	"bytes"
	"context"
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/internal/tensorflow"
)

// A multiplier computes products with libtensorflow's kernels, which are an
// order of magnitude faster than Go loops. A fed matrix is shared, not copied.
type multiplier struct {
	graph   *tensorflow.Graph
	session *tensorflow.Session
	// forward computes X·Vᵀ [n,k] from X [n,d], V [k,d]; backward Rᵀ·X [k,d]
	// from R [n,k], X [n,d]; plain A·B. Both orders read the large X by rows,
	// as it is stored.
	forward, backward, plain *tensorflow.Step
	// qr computes the orthonormal Q [d,n] and the upper triangular R [n,n]
	// whose product is the transpose of the fed matrix.
	qr *tensorflow.Step
}

func newMultiplier(threads int) (*multiplier, error) {
	s := op.NewScope()
	a := op.Placeholder(s.SubScope("a"), tf.Float)
	b := op.Placeholder(s.SubScope("b"), tf.Float)
	forward := op.MatMul(s.SubScope("forward"), a, b, op.MatMulTransposeB(true))
	backward := op.MatMul(s.SubScope("backward"), a, b, op.MatMulTransposeA(true))
	plain := op.MatMul(s.SubScope("plain"), a, b)
	transposed := op.Transpose(s.SubScope("transposed"), a, op.Const(s.SubScope("permutation"), []int32{1, 0}))
	q, r := op.Qr(s.SubScope("qr"), transposed)
	graph, err := s.Finalize()
	if err != nil {
		return nil, fmt.Errorf("head: products: %w", err)
	}
	var def bytes.Buffer
	if _, err := graph.WriteTo(&def); err != nil {
		return nil, fmt.Errorf("head: products: %w", err)
	}
	m := &multiplier{}
	if m.graph, err = tensorflow.ImportGraphBytes(def.Bytes()); err != nil {
		return nil, fmt.Errorf("head: products: %w", err)
	}
	if m.session, err = tensorflow.NewSession(m.graph, tensorflow.Config{IntraOpThreads: threads}); err != nil {
		m.close()
		return nil, fmt.Errorf("head: products: %w", err)
	}
	for _, step := range []struct {
		to      **tensorflow.Step
		feeds   []tf.Output
		fetches []tf.Output
	}{
		{&m.forward, []tf.Output{a, b}, []tf.Output{forward}},
		{&m.backward, []tf.Output{a, b}, []tf.Output{backward}},
		{&m.plain, []tf.Output{a, b}, []tf.Output{plain}},
		{&m.qr, []tf.Output{a}, []tf.Output{q, r}},
	} {
		if *step.to, err = m.session.Step(names(step.feeds), names(step.fetches), nil); err != nil {
			m.close()
			return nil, fmt.Errorf("head: products: %w", err)
		}
	}
	return m, nil
}

func names(outputs []tf.Output) []string {
	var list []string
	for _, o := range outputs {
		list = append(list, fmt.Sprintf("%s:%d", o.Op.Name(), o.Index))
	}
	return list
}

func (m *multiplier) close() {
	if m.session != nil {
		m.session.Close()
	}
	m.graph.Close()
}

// multiply runs a step on two matrices and returns the product, which the
// caller closes.
func multiply(ctx context.Context, step *tensorflow.Step, a, b *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	out, err := step.Run(ctx, a, b)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	return out[0], nil
}

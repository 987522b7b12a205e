package builder_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	configpb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/network"
)

// model is a network in its own session.
type model struct {
	*builder.Built
	session    *tf.Session
	seed, step tf.Output
}

type prepare func(s *op.Scope, m *model) // adds what a test needs before the graph is final

// start builds the network and sets its weights.
func start(t *testing.T, g *architectures.Graph, training bool, weights []*network.Weight, more ...prepare) *model {
	t.Helper()
	s, m := op.NewScope(), new(model)
	images := op.Placeholder(s.SubScope("images"), tf.Float)
	m.seed = op.Placeholder(s.SubScope("seed"), tf.Int64)
	m.step = op.Placeholder(s.SubScope("step"), tf.Int64)
	mode := builder.Inference
	if training {
		mode = builder.Training(m.seed, m.step)
	}
	var err error
	if m.Built, err = builder.Build(s, g, images, mode); err != nil {
		t.Fatal(err)
	}
	for _, add := range more {
		add(s, m)
	}
	assignments := builder.Assign(s, m.Variables)
	graph, err := s.Finalize()
	if err != nil {
		t.Fatal(err)
	}
	if m.session, err = tf.NewSession(graph, &tf.SessionOptions{Config: asWritten(t)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.session.Close() })
	byName := map[string]*network.Weight{}
	for _, w := range weights {
		byName[w.Name] = w
	}
	feeds, targets := map[tf.Output]*tf.Tensor{}, []*tf.Operation{}
	for i, v := range m.Variables {
		w := byName[v.Name]
		if w == nil {
			t.Fatalf("no weight for %s", v.Name)
		}
		feeds[assignments[i].Value] = tensor(t, w.Shape, w.Data)
		targets = append(targets, assignments[i].Op)
	}
	if _, err := m.session.Run(feeds, nil, targets); err != nil {
		t.Fatal(err)
	}
	return m
}

// asWritten runs graphs without TensorFlow's optimizer, which takes longer than
// the single step.
func asWritten(t *testing.T) []byte {
	t.Helper()
	raw, err := proto.Marshal(&configpb.ConfigProto{GraphOptions: &configpb.GraphOptions{
		RewriteOptions: &configpb.RewriterConfig{DisableMetaOptimizer: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// run feeds the images at a step of seed 7 and returns the fetches' values.
func (m *model) run(t *testing.T, step int64, images *tf.Tensor, fetches []tf.Output, targets ...*tf.Operation) [][]float32 {
	t.Helper()
	feeds := map[tf.Output]*tf.Tensor{m.Images: images}
	for at, value := range map[tf.Output]int64{m.seed: 7, m.step: step} {
		scalar, err := tf.NewTensor(value)
		if err != nil {
			t.Fatal(err)
		}
		feeds[at] = scalar
	}
	tensors, err := m.session.Run(feeds, fetches, targets)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float32, len(tensors))
	for i, each := range tensors {
		var raw bytes.Buffer
		if _, err := each.WriteContentsTo(&raw); err != nil {
			t.Fatal(err)
		}
		out[i] = floats(raw.Bytes())
	}
	return out
}

func tensor(t *testing.T, shape []int64, raw []byte) *tf.Tensor {
	t.Helper()
	out, err := tf.ReadTensor(tf.Float, shape, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func floats(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func encode(values []float32) []byte {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// noise returns a reproducible batch of n images with values in ±1, every
// second one with less contrast than the previous one.
func noise(n int, shape architectures.Shape) (dims []int64, values []float32) {
	random := rand.New(rand.NewPCG(3, 5))
	values = make([]float32, n*shape.Elements())
	for i := range values {
		values[i] = 2*random.Float32() - 1
		if i/shape.Elements()%2 == 1 {
			values[i] = values[i]/4 + .5
		}
	}
	return []int64{int64(n), int64(shape[0]), int64(shape[1]), int64(shape[2])}, values
}

func batch(t *testing.T, n int, shape architectures.Shape) *tf.Tensor {
	t.Helper()
	dims, values := noise(n, shape)
	return tensor(t, dims, encode(values))
}

func build(t *testing.T, name string, classes int, input [3]int) *architectures.Graph {
	t.Helper()
	a, err := architectures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Build(classes, input)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

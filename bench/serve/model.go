package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tkit/architectures"
	"tkit/architectures/builder"
	drawn "tkit/bench/photographs"
	"tkit/internal/inference"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// photographs returns n JPEGs in memory.
func photographs(n int) ([][]byte, error) {
	dir, err := drawn.Folder(1, n)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
	if err != nil {
		return nil, err
	}
	var images [][]byte
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		images = append(images, b)
	}
	return images, nil
}

// modelName is the model that is served.
const modelName = "resnet50"

// A model is a registry with one version in production: ResNet-50, random
// weights, cut before its classifier.
type model struct {
	home     string
	registry *registry.Registry
	manifest *registry.Manifest
}

func newModel(ctx context.Context) (_ *model, err error) {
	m := &model{}
	if m.home, err = os.MkdirTemp("", "bench-serve"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if m.registry, err = registry.Open(ctx, m.home); err != nil {
		return nil, err
	}
	a, err := architectures.Lookup("resnet50-keras")
	if err != nil {
		return nil, err
	}
	trunk, head, err := cut(ctx, a)
	if err != nil {
		return nil, err
	}
	labels := make([]string, a.Classes)
	for i := range labels {
		labels[i] = fmt.Sprintf("class %d", i)
	}
	by := registry.Change{Actor: "bench"}
	v, err := m.registry.Register(ctx, registry.Registration{
		Manifest: registry.Manifest{
			Model: modelName, Labels: labels,
			Preprocessing: preprocessing.ForMode(preprocessing.Caffe, a.Input[0], a.Input[1], a.Input[2]),
			Signature:     registry.Signature{Inputs: ports(trunk.Inputs), Outputs: ports(head.Outputs)},
			Lineage:       registry.Lineage{Code: "bench"},
		},
		Trunk: registry.FromEncoder(trunk), Head: registry.FromEncoder(head), By: by,
	})
	if err != nil {
		return nil, err
	}
	m.manifest = v.Manifest
	_, err = m.registry.Promote(ctx, modelName, v.Manifest.Version, registry.Production, by)
	return m, err
}

// cut builds the network and divides it at its last feature map, pooled.
func cut(ctx context.Context, a architectures.Architecture) (trunk, head *network.Network, err error) {
	graph, err := a.Graph()
	if err != nil {
		return nil, nil, err
	}
	weights, err := builder.Initial(graph, 1)
	if err != nil {
		return nil, nil, err
	}
	whole, err := builder.Network(graph, weights)
	if err != nil {
		return nil, nil, err
	}
	endpoints, err := whole.Endpoints()
	if err != nil {
		return nil, nil, err
	}
	// What follows the last feature map is the pooling, one vector an image.
	at := ""
	for i, e := range endpoints {
		if i > 0 && len(e.Shape) == 1 && len(endpoints[i-1].Shape) == 3 {
			at = e.Name
		}
	}
	trunk, head, err = whole.Cut(at, "")
	if err != nil {
		return nil, nil, err
	}
	trunk, err = trunk.Fold(ctx)
	return trunk, head, err
}

func ports(list []network.Port) []registry.Port {
	var out []registry.Port
	for _, p := range list {
		out = append(out, registry.Port{Name: p.Name, DataType: p.DataType.String(), Shape: p.Shape})
	}
	return out
}

func (m *model) close() error {
	var err error
	if m.registry != nil {
		err = m.registry.Close()
	}
	return errors.Join(err, os.RemoveAll(m.home))
}

// bare is the work without the server: its own copies of the parts.
type bare struct {
	pipeline *inference.Pipeline
	trunk    *inference.Trunk
	head     *inference.Head
	shape    [3]int
}

func openBare(ctx context.Context, m *model) (*bare, error) {
	b := &bare{}
	b.shape[0], b.shape[1], b.shape[2] = m.manifest.Preprocessing.Shape()
	trunk, err := m.registry.BlobPath(ctx, m.manifest.Trunk.Digest)
	if err != nil {
		return nil, err
	}
	head, err := m.registry.BlobPath(ctx, m.manifest.Head.Digest)
	if err != nil {
		return nil, err
	}
	if b.pipeline, err = inference.Compile(m.manifest.Preprocessing); err != nil {
		return nil, err
	}
	if b.trunk, err = inference.OpenTrunk(trunk, tensorflow.Config{RunInCaller: true}); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if b.head, err = inference.OpenHead(head, tensorflow.Config{RunInCaller: true}); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bare) close() error {
	err := b.pipeline.Close()
	if b.trunk != nil {
		err = errors.Join(err, b.trunk.Close())
	}
	if b.head != nil {
		err = errors.Join(err, b.head.Close())
	}
	return err
}

// loop runs the trunk over one batch again and again: images a second.
func (b *bare) loop(ctx context.Context, n int, turn time.Duration) (float64, error) {
	batch, err := tensorflow.NewTensor(tensorflow.Float32, int64(n), int64(b.shape[0]), int64(b.shape[1]), int64(b.shape[2]))
	if err != nil {
		return 0, err
	}
	defer batch.Close()
	for i, v := 0, batch.Float32(); i < len(v); i++ {
		v[i] = float32(i%255) - 127
	}
	begun, done := time.Now(), 0
	for time.Since(begun) < turn {
		out, err := b.trunk.Run(ctx, batch)
		if err != nil {
			return 0, err
		}
		out.Close()
		done += n
	}
	return float64(done) / time.Since(begun).Seconds(), nil
}

// once decodes an image and runs both networks on it, nothing else.
func (b *bare) once(ctx context.Context, encoded []byte) (time.Duration, error) {
	begun := time.Now()
	in, err := tensorflow.NewTensor(tensorflow.Float32, 1, int64(b.shape[0]), int64(b.shape[1]), int64(b.shape[2]))
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := b.pipeline.Into(ctx, encoded, in.Float32()); err != nil {
		return 0, err
	}
	bottleneck, err := b.trunk.Run(ctx, in)
	if err != nil {
		return 0, err
	}
	defer bottleneck.Close()
	out, err := b.head.Run(ctx, bottleneck)
	if err != nil {
		return 0, err
	}
	out.Close()
	return time.Since(begun), nil
}

// Package served runs a server of ResNet-50 in the benchmark's own process,
// with a client.
package served

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/registry"
	"tkit/registry/export"
)

// Name is the name of the served model.
const Name = "resnet50"

// Model is a registry with one version in production: ResNet-50, random
// weights, cut before its classifier.
type Model struct {
	Home     string
	Registry *registry.Registry
	Manifest *registry.Manifest

	trunk, head *network.Network
	labels      []string
}

// New creates the Model in a home that Close removes.
func New(ctx context.Context) (_ *Model, err error) {
	m := &Model{}
	if m.Home, err = os.MkdirTemp("", "bench-served"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if m.Registry, err = registry.Open(ctx, m.Home); err != nil {
		return nil, err
	}
	a, err := architectures.Lookup("resnet50-keras")
	if err != nil {
		return nil, err
	}
	if m.trunk, m.head, err = cut(ctx, a); err != nil {
		return nil, err
	}
	m.labels = make([]string, a.Classes)
	for i := range m.labels {
		m.labels[i] = fmt.Sprintf("class %d", i)
	}
	m.Manifest, err = m.Register(ctx, Name, preprocessing.ForMode(preprocessing.Caffe, a.Input[0], a.Input[1], a.Input[2]))
	return m, err
}

// Register puts the same network in production under another name and with
// other preprocessing.
func (m *Model) Register(ctx context.Context, name string, p preprocessing.Preprocessing) (*registry.Manifest, error) {
	by := registry.Change{Actor: "bench"}
	v, err := m.Registry.Register(ctx, registry.Registration{
		Manifest: registry.Manifest{
			Model: name, Labels: m.labels, Preprocessing: p,
			Signature: registry.Signature{Inputs: export.TensorSpecs(m.trunk.Inputs), Outputs: export.TensorSpecs(m.head.Outputs)},
			Lineage:   registry.Lineage{Code: "bench"},
		},
		Trunk: registry.FromEncoder(m.trunk), Head: registry.FromEncoder(m.head), By: by,
	})
	if err != nil {
		return nil, err
	}
	_, err = m.Registry.Promote(ctx, name, v.Manifest.Version, registry.Production, by)
	return v.Manifest, err
}

// cut builds the network and cuts it after its last feature map, pooled.
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
	// The last feature map is followed by the pooling, one vector an image.
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

// Close removes the home.
func (m *Model) Close() error {
	var err error
	if m.Registry != nil {
		err = m.Registry.Close()
	}
	return errors.Join(err, os.RemoveAll(m.Home))
}

// Package inferencetest fills registries with small real models for the tests of
// serving: LeNet-5s with random weights, whose versions share one trunk.
package inferencetest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/registry"
)

// Endpoint is the endpoint at which the models are cut.
const Endpoint = "F6/relu"

// A Home is a registry with models.
type Home struct {
	Path     string
	Registry *registry.Registry
	// Lineage is the lineage of versions that are registered from then on.
	Lineage registry.Lineage

	architecture architectures.Architecture
	trunk        *network.Network
}

// By is the actor who registered and promoted the models.
var By = registry.Change{Actor: "test"}

// New opens an empty registry in a folder of the test's.
func New(t testing.TB) *Home {
	t.Helper()
	return NewIn(t, registry.Open)
}

// NewIn is New with a registry that open opens.
func NewIn(t testing.TB, open func(ctx context.Context, folder string) (*registry.Registry, error)) *Home {
	t.Helper()
	h := &Home{Path: t.TempDir(), Lineage: registry.Lineage{Code: "test"}}
	var err error
	if h.Registry, err = open(t.Context(), h.Path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Registry.Close(); err != nil {
			t.Error(err)
		}
	})
	if h.architecture, err = architectures.Lookup("lenet5"); err != nil {
		t.Fatal(err)
	}
	h.trunk, _ = h.cut(t, 1)
	return h
}

// cut builds the network with the weights of a seed and cuts it.
func (h *Home) cut(t testing.TB, seed uint64) (trunk, head *network.Network) {
	t.Helper()
	graph, err := h.architecture.Graph()
	if err != nil {
		t.Fatal(err)
	}
	weights, err := builder.Initial(graph, seed)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := builder.Network(graph, weights)
	if err != nil {
		t.Fatal(err)
	}
	trunk, head, err = whole.Cut(Endpoint, "")
	if err != nil {
		t.Fatal(err)
	}
	return trunk, head
}

// Labels are those of every model.
func (h *Home) Labels() []string {
	labels := make([]string, h.architecture.Classes)
	for i := range labels {
		labels[i] = fmt.Sprintf("class %d", i)
	}
	return labels
}

// Register adds a version to a model: the shared trunk and the head of a seed.
// It returns the version's number.
func (h *Home) Register(t testing.TB, model string, seed uint64) int {
	t.Helper()
	_, head := h.cut(t, seed)
	return h.RegisterParts(t, model, registry.FromEncoder(h.trunk), registry.FromEncoder(head))
}

// RegisterParts adds a version with any content, even content that cannot be
// loaded.
func (h *Home) RegisterParts(t testing.TB, model string, trunk, head registry.Content) int {
	t.Helper()
	return h.register(t, model, trunk, head, nil)
}

// RegisterWith is Register with attachments.
func (h *Home) RegisterWith(t testing.TB, model string, seed uint64, attachments map[string]registry.Content) int {
	t.Helper()
	_, head := h.cut(t, seed)
	return h.register(t, model, registry.FromEncoder(h.trunk), registry.FromEncoder(head), attachments)
}

// ServePreprocessed registers a version with a preprocessing other than the
// architecture's, and puts it into production.
func (h *Home) ServePreprocessed(t testing.TB, model string, seed uint64, p preprocessing.Preprocessing) {
	t.Helper()
	_, head := h.cut(t, seed)
	v := h.registerAs(t, p, model, registry.FromEncoder(h.trunk), registry.FromEncoder(head), nil)
	h.Promote(t, model, v, registry.Production)
}

func (h *Home) register(t testing.TB, model string, trunk, head registry.Content, attachments map[string]registry.Content) int {
	t.Helper()
	return h.registerAs(t, h.architecture.Preprocessing, model, trunk, head, attachments)
}

func (h *Home) registerAs(t testing.TB, p preprocessing.Preprocessing, model string, trunk, head registry.Content, attachments map[string]registry.Content) int {
	t.Helper()
	in := h.architecture.Input
	classes := int64(h.architecture.Classes)
	v, err := h.Registry.Register(t.Context(), registry.Registration{
		Manifest: registry.Manifest{
			Model:         model,
			Cut:           registry.CutRecord{Endpoint: Endpoint},
			Labels:        h.Labels(),
			Preprocessing: p,
			Signature: registry.Signature{
				Inputs: []registry.TensorSpec{{Name: "images", DataType: "float32", Shape: []int64{-1, int64(in[0]), int64(in[1]), int64(in[2])}}},
				Outputs: []registry.TensorSpec{
					{Name: "probabilities", DataType: "float32", Shape: []int64{-1, classes}},
					{Name: "logits", DataType: "float32", Shape: []int64{-1, classes}},
				},
			},
			Lineage: h.Lineage,
		},
		Trunk: trunk, Head: head, Attachments: attachments, By: By,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v.Manifest.Version
}

// Promote moves an alias.
func (h *Home) Promote(t testing.TB, model string, version int, alias string) {
	t.Helper()
	if _, err := h.Registry.Promote(t.Context(), model, version, alias, By); err != nil {
		t.Fatal(err)
	}
}

// Serve registers a version of each model and puts it into production.
func (h *Home) Serve(t testing.TB, models ...string) {
	t.Helper()
	for i, m := range models {
		h.Promote(t, m, h.Register(t, m, uint64(i+1)), registry.Production)
	}
}

// JPEG draws a random image and encodes it; equal seeds give equal bytes.
func JPEG(t testing.TB, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, draw(seed, 40, 40), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// PNG is JPEG in another format.
func PNG(t testing.TB, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, draw(seed, 40, 40)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// draw makes a random image.
func draw(seed uint64, width, height int) image.Image {
	random := rand.New(rand.NewPCG(seed, 0))
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetRGBA(x, y, color.RGBA{uint8(random.Uint32()), uint8(random.Uint32()), uint8(random.Uint32()), 255})
		}
	}
	return m
}

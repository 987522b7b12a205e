// Package export writes a registered version as one complete, ordinary
// SavedModel, which Python's TensorFlow, TensorFlow Serving and Triton load.
package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tkit/internal/durable"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/pipeline"
	"tkit/internal/savedmodel"
	"tkit/internal/workfolder"
	"tkit/registry"
)

// Extra is the folder in the SavedModel for files that TensorFlow does not read;
// TensorFlow Serving ignores a folder of this name. It contains the version's
// manifest.json; labels.txt, one label per line in the order of the outputs; and
// preprocessing.json, with which the export can be a base.
const Extra = "assets.extra"

// BytesSignature is the additional signature of an export that includes the
// preprocessing.
const BytesSignature = "serving_bytes"

// Options configure an export.
type Options struct {
	// Preprocessing puts the version's own preprocessing before the network: a
	// second signature, BytesSignature, takes a batch of encoded images as the
	// input "image_bytes" and has the same outputs. The error is
	// pipeline.ErrNotInGraph if a graph cannot compute the steps, such as those of
	// a plugin.
	Preprocessing bool
	// Private makes the folder accessible only to the account that writes it.
	Private bool
}

// Write writes the version that ref refers to into the folder dir, which must
// not exist or be empty, and returns the version's manifest. The signature
// serving_default has the manifest's inputs and outputs. The folder becomes
// visible when it is complete.
func Write(ctx context.Context, r *registry.Registry, ref registry.Ref, dir string, o Options) (*registry.Manifest, error) {
	m, err := r.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	if err := write(ctx, r, m, dir, o); err != nil {
		return nil, fmt.Errorf("exporting %s: %w", m.Ref(), err)
	}
	return m, nil
}

func write(ctx context.Context, r *registry.Registry, m *registry.Manifest, dir string, o Options) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	beside, err := workfolder.New(filepath.Dir(dir), "."+filepath.Base(dir)+".exporting-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, beside.Close()) }()
	model := filepath.Join(beside.Path, "model")
	if err := writeModel(ctx, r, m, model, o); err != nil {
		return err
	}
	if err := writeExtra(m, filepath.Join(model, Extra)); err != nil {
		return err
	}
	if o.Private { // no other account has access at any time
		if err := os.Chmod(model, 0o700); err != nil {
			return err
		}
	}
	if err := errors.Join(durable.SyncFolder(model), os.Rename(model, dir)); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(dir))
}

// writeModel joins the version's parts and writes the network with its
// signature.
func writeModel(ctx context.Context, r *registry.Registry, m *registry.Manifest, dir string, o Options) (err error) {
	var front *savedmodel.Front
	if o.Preprocessing {
		in, err := pipeline.NewInGraph(m.Preprocessing, "preprocessing/")
		if err != nil {
			return err
		}
		front = &savedmodel.Front{Signature: BytesSignature, Nodes: in.Nodes, Input: in.Input, Output: in.Output}
	}
	joined, err := Network(ctx, r, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, joined.Close()) }()
	var outputs []string
	for _, p := range m.Signature.Outputs {
		outputs = append(outputs, p.Name)
	}
	shown, err := joined.Prune(outputs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shown.Close()) }()
	if !same(SignatureOf(shown), m.Signature) {
		return fmt.Errorf("its network has the signature %v, its manifest %v", SignatureOf(shown), m.Signature)
	}
	return savedmodel.Write(ctx, dir, savedmodel.Export{Network: shown, Front: front})
}

// Network joins a version's trunk and head. The caller closes it.
func Network(ctx context.Context, r *registry.Registry, m *registry.Manifest) (_ *network.Network, err error) {
	trunk, err := part(ctx, r, m.Trunk)
	if err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	defer func() { err = errors.Join(err, trunk.Close()) }()
	if err := independence.Retrain(independence.Check(ctx, trunk)); err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	head, err := part(ctx, r, m.Head)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	defer func() { err = errors.Join(err, head.Close()) }()
	return network.Join(trunk, head)
}

func part(ctx context.Context, r *registry.Registry, p registry.Part) (*network.Network, error) {
	path, err := r.BlobPath(ctx, p.Digest)
	if err != nil {
		return nil, err
	}
	return network.Open(path)
}

// SignatureOf returns the signature of a whole network in the form of a
// manifest.
func SignatureOf(n *network.Network) registry.Signature {
	return registry.Signature{Inputs: TensorSpecs(n.Inputs), Outputs: TensorSpecs(n.Outputs)}
}

// TensorSpecs describes a network's inputs or outputs for a manifest.
func TensorSpecs(infos []network.TensorInfo) []registry.TensorSpec {
	var specs []registry.TensorSpec
	for _, t := range infos {
		specs = append(specs, registry.TensorSpec{Name: t.Name, DataType: t.DataType.String(), Shape: t.Shape})
	}
	return specs
}

// same compares signatures by names and types; a shape may be more specific in one of
// them.
func same(a, b registry.Signature) bool {
	sameTensors := func(a, b []registry.TensorSpec) bool {
		byName := func(x, y registry.TensorSpec) int { return strings.Compare(x.Name, y.Name) }
		return slices.EqualFunc(slices.SortedFunc(slices.Values(a), byName), slices.SortedFunc(slices.Values(b), byName),
			func(x, y registry.TensorSpec) bool { return x.Name == y.Name && x.DataType == y.DataType })
	}
	return sameTensors(a.Inputs, b.Inputs) && sameTensors(a.Outputs, b.Outputs)
}

func writeExtra(m *registry.Manifest, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := m.Encode()
	if err != nil {
		return err
	}
	var manifest bytes.Buffer
	if err := json.Indent(&manifest, text, "", "  "); err != nil {
		return err
	}
	manifest.WriteByte('\n')
	labels := strings.Join(m.Labels, "\n") + "\n"
	steps, err := json.MarshalIndent(m.Preprocessing, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		durable.WriteFile(filepath.Join(dir, "preprocessing.json"), append(steps, '\n'), 0o644),
		durable.WriteFile(filepath.Join(dir, "manifest.json"), manifest.Bytes(), 0o644),
		durable.WriteFile(filepath.Join(dir, "labels.txt"), []byte(labels), 0o644),
		durable.SyncFolder(dir))
}

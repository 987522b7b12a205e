package savedmodel

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/durable"
	"tkit/internal/network"
	"tkit/internal/savedmodel/bundle"
)

// predictMethod is the method name under which TensorFlow Serving runs any
// signature.
const predictMethod = "tensorflow/serving/predict"

// An Export is what a SavedModel is written from.
type Export struct {
	// Network is the graph and its weights. Its ports name the signature's
	// inputs and outputs.
	Network *network.Network
	// Signature is the signature's key; "serving_default" when empty.
	Signature string
	// Front, where it is set, adds a second signature whose input is what the
	// network's own input is computed from.
	Front *Front
	// Assets are files for the assets folder by their names, such as
	// "labels.txt". The graph does not read them.
	Assets map[string][]byte
}

// A Front is what stands before a network for those who have something else
// than its input, such as encoded images.
type Front struct {
	// Signature is the second signature's key.
	Signature string
	// Nodes compute Output, which feeds the network's only input, from Input,
	// which is one of them. No node of the network may have the name of one.
	Nodes         []*nodepb.NodeDef
	Input, Output network.Port
}

// Write writes an ordinary SavedModel: one graph with the tag "serve", its
// variables in TensorFlow's checkpoint format with the operations that save
// and restore them. It loads by tf.saved_model.load and tf.compat.v1 in Python
// and in TensorFlow Serving, and by [Read].
//
// The folder must not exist. It appears under its name only when it is
// complete and on the disk. Equal exports give equal files.
func Write(ctx context.Context, dir string, e Export) error {
	if err := write(ctx, filepath.Clean(dir), e); err != nil {
		return fmt.Errorf("write SavedModel %s: %w", dir, err)
	}
	return nil
}

func write(ctx context.Context, dir string, e Export) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return err
	}
	for name := range e.Assets {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("asset %q: not the plain name of a file", name)
		}
	}
	meta, err := metaGraph(e)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".writing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // nothing is left of it once it is renamed
	if err := writeFiles(ctx, work, meta, e); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	if err := os.Rename(work, dir); err != nil {
		return err
	}
	return durable.SyncFolder(parent)
}

func writeFiles(ctx context.Context, dir string, meta *metapb.MetaGraphDef, e Export) error {
	for _, folder := range []string{"variables", "assets"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	if err := writeVariables(ctx, filepath.Join(dir, variablesPrefix), e.Network.Weights); err != nil {
		return err
	}
	for name, content := range e.Assets {
		if err := durable.WriteFile(filepath.Join(dir, "assets", name), content, 0o666); err != nil {
			return err
		}
	}
	model := &metapb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*metapb.MetaGraphDef{meta}}
	b, err := deterministic.Marshal(model)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, modelFile), b, 0o666); err != nil {
		return err
	}
	index, err := os.ReadFile(filepath.Join(dir, variablesPrefix+".index"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	print, err := fingerprint(b, index, meta)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, "fingerprint.pb"), print, 0o666); err != nil {
		return err
	}
	for _, folder := range []string{"variables", "assets", "."} {
		if err := durable.SyncFolder(filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

var deterministic = proto.MarshalOptions{Deterministic: true}

func writeVariables(ctx context.Context, prefix string, weights []*network.Weight) error {
	if len(weights) == 0 {
		return nil // as TensorFlow leaves a model without variables
	}
	w, err := bundle.Create(prefix)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, weight := range weights {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := bundle.Tensor{DataType: typespb.DataType(weight.DataType), Shape: weight.Shape, Data: weight.Data}
		if err := w.Add(weight.Name, t); err != nil {
			return err
		}
	}
	return w.Finish()
}

// fingerprint describes the model as TensorFlow's fingerprint.pb does, so that
// copies can be told apart and lineage be recorded. TensorFlow hashes by
// FarmHash and compares the numbers with nothing; these are the first bytes of
// SHA-256.
func fingerprint(model, index []byte, meta *metapb.MetaGraphDef) ([]byte, error) {
	graph, err := deterministic.Marshal(meta.GetGraphDef())
	if err != nil {
		return nil, err
	}
	var signatures []byte
	for _, key := range slices.Sorted(maps.Keys(meta.GetSignatureDef())) {
		b, err := deterministic.Marshal(meta.GetSignatureDef()[key])
		if err != nil {
			return nil, err
		}
		signatures = append(append(signatures, key...), b...)
	}
	hash := func(b []byte) uint64 {
		sum := sha256.Sum256(b)
		return binary.LittleEndian.Uint64(sum[:])
	}
	return deterministic.Marshal(&metapb.FingerprintDef{
		SavedModelChecksum: hash(model), GraphDefProgramHash: hash(graph), SignatureDefHash: hash(signatures),
		SavedObjectGraphHash: hash(nil), CheckpointHash: hash(index),
		Version: &versionspb.VersionDef{Producer: 1},
	})
}

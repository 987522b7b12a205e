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

// predictMethod is the method name for which TensorFlow Serving runs any
// signature.
const predictMethod = "tensorflow/serving/predict"

// An Export describes the SavedModel to write.
type Export struct {
	// Network is the graph and its weights. Its inputs and outputs define the signature's
	// inputs and outputs.
	Network *network.Network
	// Signature is the signature's key; "serving_default" when empty.
	Signature string
	// Front, if set, adds a second signature with a different input, from which
	// the network's input is computed.
	Front *Front
	// Assets are files for the assets folder, by name, such as "labels.txt".
	// The graph does not read them.
	Assets map[string][]byte
}

// A Front computes a network's input from another input, such as encoded
// images.
type Front struct {
	// Signature is the second signature's key.
	Signature string
	// Nodes compute Output, which feeds the network's only input, from Input,
	// which is one of them. Their names must not occur in the network.
	Nodes         []*nodepb.NodeDef
	Input, Output network.TensorInfo
}

// Write writes an ordinary SavedModel: one graph with the tag "serve", and its
// variables in TensorFlow's checkpoint format with the operations that save and
// restore them. tf.saved_model.load, tf.compat.v1, TensorFlow Serving and
// [Read] can load it.
//
// The folder must not exist. It appears only when it is complete and durable.
// Equal exports give equal files.
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
			return fmt.Errorf("asset %q: not a plain file name", name)
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
	defer os.RemoveAll(work) // after the rename nothing is left to remove
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
		return nil // like TensorFlow for a model without variables
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

// fingerprint returns the model's fingerprint.pb, which identifies copies and
// records lineage. TensorFlow uses FarmHash but compares the numbers with
// nothing; these are the first bytes of SHA-256.
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

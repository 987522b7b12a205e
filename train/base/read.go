// Package base reads pretrained networks from the files that other programs write, and
// stores them in the registry as bases.
package base

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/architectures/pytorch"
	"tkit/internal/inputfile"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/internal/weightfile"
)

// ErrArchitecture is wrapped by errors about a file of weights without an
// architecture, and about an architecture for something else.
var ErrArchitecture = errors.New("the architecture does not fit")

// A Source says what to read.
type Source struct {
	// Path is a SavedModel's folder, a frozen graph (.pb), or a file of weights.
	Path string
	// Architecture is the network that weights are for. Scheme states whose names
	// they have; see [pytorch.Load]. Both are only for weights.
	Architecture, Scheme string
	// Tags and Signature select a part of a SavedModel.
	Tags      []string
	Signature string
	// Output is the node to use of a frozen graph.
	Output string
	// Note, if set, is called with a sentence for each choice or change made.
	Note func(string)
}

// A Network is what was read. The caller closes it.
type Network struct {
	*network.Network
	// Preprocessing is what the source says about its input; no steps where it says
	// nothing. Unclear says why it is not certain.
	Preprocessing preprocessing.Preprocessing
	Unclear       string
	// Scheme is whose names the weights had.
	Scheme string
}

// Read reads a network with its weights. Nothing in the files is executed.
func Read(ctx context.Context, s Source) (*Network, error) {
	info, err := os.Stat(s.Path)
	if err != nil {
		return nil, err
	}
	if s.Architecture != "" {
		return readWeights(ctx, s)
	}
	if s.Scheme != "" {
		return nil, fmt.Errorf("%w: a scheme is for the weights of an architecture", ErrArchitecture)
	}
	if !info.IsDir() {
		return readFile(ctx, s)
	}
	own, err := recordedPreprocessing(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	n, err := savedmodel.Read(ctx, s.Path, savedmodel.Options{Tags: s.Tags, Signature: s.Signature, Note: s.Note})
	if err != nil {
		return nil, err
	}
	return &Network{Network: n, Preprocessing: own}, nil
}

// readFile reads a frozen graph, and says what another file is.
func readFile(ctx context.Context, s Source) (*Network, error) {
	switch strings.ToLower(filepath.Ext(s.Path)) {
	case ".pth", ".pt", ".bin", ".safetensors":
		return nil, fmt.Errorf("%w: %s holds weights without a network; import it as a base with the architecture that they are for", ErrArchitecture, s.Path)
	}
	if s.Signature != "" || len(s.Tags) > 0 {
		return nil, fmt.Errorf("%s is a file: signatures and tags are for the folder of a SavedModel", s.Path)
	}
	n, err := savedmodel.ReadFrozen(ctx, s.Path, savedmodel.FrozenOptions{Output: s.Output, Note: s.Note})
	if err != nil {
		return nil, err
	}
	return &Network{Network: n}, nil
}

// readWeights reads weights for one of tkit's architectures.
func readWeights(ctx context.Context, s Source) (_ *Network, err error) {
	a, err := architectures.Lookup(s.Architecture)
	if err != nil {
		return nil, err
	}
	f, err := weightfile.Open(ctx, s.Path)
	if errors.Is(err, weightfile.ErrFormat) {
		err = fmt.Errorf("%w: %w; leave the architecture out for a SavedModel or a frozen graph", ErrArchitecture, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	classes, err := pytorch.Classes(a, f, s.Scheme)
	if err != nil {
		return nil, err
	}
	g, err := a.Build(classes, a.Input)
	if err != nil {
		return nil, err
	}
	loaded, err := pytorch.Load(ctx, a, g, f, s.Scheme)
	if err != nil {
		return nil, err
	}
	n, err := builder.Network(g, loaded.Weights)
	if err != nil {
		return nil, err
	}
	p := a.Preprocessing
	if loaded.Mode != "" {
		p = preprocessing.ForMode(loaded.Mode, a.Input[0], a.Input[1], a.Input[2])
	}
	if s.Note != nil {
		s.Note(fmt.Sprintf("%s has %s's names: %d weights for %d classes; %d others, which inference does not need, are ignored",
			filepath.Base(s.Path), loaded.Scheme, len(loaded.Weights), classes, len(loaded.Ignored)))
	}
	return &Network{Network: n, Preprocessing: p, Unclear: loaded.Unclear, Scheme: loaded.Scheme}, nil
}

// recordedName is the file with the preprocessing in a SavedModel exported for
// tkit.
const recordedName = "assets.extra/preprocessing.json"

func recordedPreprocessing(ctx context.Context, dir string) (preprocessing.Preprocessing, error) {
	var p preprocessing.Preprocessing
	raw, err := inputfile.Read(ctx, filepath.Join(dir, recordedName), inputfile.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", recordedName, err)
	}
	return p, nil
}

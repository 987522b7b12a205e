package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/savedmodel/bundle"
)

const (
	modelFile       = "saved_model.pb"
	variablesPrefix = "variables/variables"
	serveTag        = "serve"
	servingDefault  = "serving_default"
	hubDefault      = "default"
	initSignature   = "__saved_model_init_op"

	// maxModelBytes is the limit of protocol buffers.
	maxModelBytes = 1<<31 - 1
)

// load reads dir's saved_model.pb, or returns an error that describes dir.
func load(dir string) (*metapb.SavedModel, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: it is a file, not a folder%s", ErrNotSavedModel, adviceForFile(dir))
	}
	b, err := bundle.ReadFile(filepath.Join(dir, modelFile), maxModelBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no %s%s", ErrNotSavedModel, modelFile, adviceForFolder(dir))
	}
	if err != nil {
		return nil, err
	}
	model := &metapb.SavedModel{}
	if err := unmarshal(b, model); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged or cut short: %w", ErrNotSavedModel, modelFile, err)
	}
	if isGraphDef(b) {
		return nil, fmt.Errorf("%w: its %s is %s", ErrNotSavedModel, modelFile, frozenGraph)
	}
	if len(model.GetMetaGraphs()) == 0 {
		return nil, fmt.Errorf("%w: %s holds no graph", ErrNotSavedModel, modelFile)
	}
	return model, nil
}

// chooseMetaGraph returns the meta graph with exactly the given tags, or the
// default one.
func chooseMetaGraph(model *metapb.SavedModel, tags []string) (*metapb.MetaGraphDef, error) {
	graphs := model.GetMetaGraphs()
	var names []string
	for _, g := range graphs {
		names = append(names, fmt.Sprintf("%q", g.GetMetaInfoDef().GetTags()))
	}
	tagged := func(want ...string) *metapb.MetaGraphDef {
		slices.Sort(want)
		for _, g := range graphs {
			have := slices.Sorted(slices.Values(g.GetMetaInfoDef().GetTags()))
			if slices.Equal(have, want) {
				return g
			}
		}
		return nil
	}
	if tags != nil {
		if g := tagged(slices.Clone(tags)...); g != nil {
			return g, nil
		}
		return nil, fmt.Errorf("it has no graph with the tags %q; its graphs have: %s", tags, strings.Join(names, ", "))
	}
	if g := tagged(serveTag); g != nil {
		return g, nil
	}
	if len(graphs) == 1 {
		return graphs[0], nil
	}
	if g := tagged(); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("it has %d graphs: choose one by its tags: %s", len(graphs), strings.Join(names, ", "))
}

// chooseSignature returns the signature of that key, or the default one.
func chooseSignature(meta *metapb.MetaGraphDef, key string) (*metapb.SignatureDef, error) {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(meta.GetSignatureDef())) {
		if k != initSignature && len(meta.GetSignatureDef()[k].GetOutputs()) > 0 {
			keys = append(keys, k)
		}
	}
	choices := []string{servingDefault, hubDefault}
	if key != "" {
		choices = []string{key}
	} else if len(keys) == 1 {
		choices = keys
	}
	for _, k := range choices {
		if slices.Contains(keys, k) {
			return meta.GetSignatureDef()[k], nil
		}
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("it has no signatures: save it with signatures=…, or with Keras's model.export")
	case key == "":
		return nil, fmt.Errorf("it has no signature %q: choose one of %q", servingDefault, keys)
	}
	return nil, fmt.Errorf("it has no signature %q; its signatures are: %q", key, keys)
}

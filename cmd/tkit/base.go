package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"tkit/internal/bases"
	"tkit/internal/inputfile"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/registry"
	"tkit/registry/export"
	"tkit/train"
)

// base is what a new head goes on.
type base struct {
	network       *network.Network
	preprocessing preprocessing.Preprocessing
	lineage       registry.Base
}

// openBase opens the SavedModel or the registered version of --base.
func openBase(t *training) (_ *base, err error) {
	given := t.String("base")
	b := new(base)
	var own preprocessing.Preprocessing // zero: not known
	note := func(text string) { t.observe(train.Noted{Text: text}) }
	if t.builtOn == nil || isFolder(given) {
		b.lineage.Name = filepath.Base(given)
		if t.builtOn != nil {
			b.lineage.Version = t.builtOn.Ref().String()
		}
		if b.network, err = savedmodel.Read(t.Context.Context, given, savedmodel.Options{Tags: t.StringSlice("tag"), Signature: t.String("signature"), Note: note}); err != nil {
			return nil, fmt.Errorf("--base: %w", err)
		}
		if own, err = recordedPreprocessing(t.Context.Context, given); err != nil {
			return nil, fmt.Errorf("--base: %w", err)
		}
	} else if b.network, own, err = registered(t, &b.lineage); err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.network.Close())
		}
	}()
	digest, err := b.network.Digest()
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	b.lineage.Digest = registry.Digest(digest)
	prepared, err := bases.Prepare(b.network, bases.Options{Input: t.String("input"), Output: t.String("output"), Note: note})
	if err != nil {
		return nil, fmt.Errorf("--base: %w%s", err, choices(err))
	}
	whole := b.network
	b.network = prepared.Network
	if err := whole.Close(); err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	if b.preprocessing, err = choosePreprocessing(t.Context.Context, t.String("preprocessing"), own, prepared); err != nil {
		return nil, err
	}
	if err := prepared.Accepts(b.preprocessing); err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	b.preprocessing, err = b.preprocessing.Pin(t.plugins.Pin)
	return b, err
}

// choices names the flags that choose among inputs and outputs, where that is
// what an error asks for.
func choices(err error) string {
	if errors.Is(err, bases.ErrChoose) {
		return " (--input, --output)"
	}
	return ""
}

// isFolder says whether there is a folder of that name.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// registered joins the parts of the registered version that the base is.
func registered(t *training, lineage *registry.Base) (*network.Network, preprocessing.Preprocessing, error) {
	m := t.builtOn
	lineage.Name, lineage.Version = m.Model, m.Ref().String()
	joined, err := export.Network(t.Context.Context, t.registry, m)
	return joined, m.Preprocessing, err
}

// builtOn finds the registered version that --base names, or that it was
// exported from: an export's restrictions are those of the version. It is nil
// where the base is neither.
func builtOn(c *cli.Context, r *registry.Registry) (*registry.Manifest, error) {
	given := c.String("base")
	if given == "" {
		return nil, nil
	}
	if isFolder(given) {
		return exportedFrom(c.Context, r, given)
	}
	ref, err := registry.ParseRef(given)
	var m *registry.Manifest
	if err == nil {
		m, err = r.Resolve(c.Context, ref)
	}
	if _, missing := os.Stat(given); err != nil && missing == nil {
		return nil, nil // a file, which is said when it is read
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %q is no folder, and %w", given, err)
	}
	return m, nil
}

// exportedFrom finds the version of this registry whose manifest stands in a
// SavedModel.
func exportedFrom(ctx context.Context, r *registry.Registry, dir string) (*registry.Manifest, error) {
	raw, err := inputfile.Read(ctx, filepath.Join(dir, export.Extra, "manifest.json"), inputfile.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	written, err := registry.DecodeManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("--base: %s: %w", dir, err)
	}
	ours, err := r.Resolve(ctx, written.Ref())
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil // another registry's
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	a, errA := written.Digest()
	b, errB := ours.Digest()
	if err := errors.Join(errA, errB); err != nil || a != b {
		return nil, err
	}
	return ours, nil
}

// recordedName is where a SavedModel that was exported for tkit says how images
// become its input.
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

// choosePreprocessing is the one given, else the base's own.
func choosePreprocessing(ctx context.Context, given string, own preprocessing.Preprocessing, b *bases.Base) (preprocessing.Preprocessing, error) {
	if given == "" && len(own.Steps) > 0 {
		return own, nil
	}
	if given == "" && b.Pixels {
		given = preprocessing.None
	}
	if given == "" {
		return own, errors.New("--base does not say how images become its input; say it with --preprocessing: " +
			"caffe (Keras's VGG and ResNet v1), tf (Inception, MobileNet, ResNet v2), torch (DenseNet), unit (0 to 1, TF Hub), none (0 to 255), or a YAML file of steps")
	}
	var size [3]int
	if in := b.Network.Inputs[0]; len(in.Shape) == 4 {
		for i, d := range in.Shape[1:] {
			size[i] = int(d)
		}
	}
	return parsePreprocessing(ctx, given, size)
}

// parsePreprocessing reads a mode, whose size is then needed, or a YAML file,
// whose steps are checked once its plugins are known.
func parsePreprocessing(ctx context.Context, given string, size [3]int) (preprocessing.Preprocessing, error) {
	modes := []string{preprocessing.Caffe, preprocessing.TF, preprocessing.Torch, preprocessing.Unit, preprocessing.None}
	if slices.Contains(modes, given) {
		if slices.Min(size[:]) < 1 {
			return preprocessing.Preprocessing{}, fmt.Errorf("--preprocessing %s: the base takes images of any size (%v); give a YAML file that resizes to one", given, size)
		}
		p := preprocessing.ForMode(given, size[0], size[1], size[2])
		return p, p.Validate()
	}
	var p preprocessing.Preprocessing
	raw, err := inputfile.Read(ctx, given, inputfile.MaxText)
	if err != nil {
		return p, fmt.Errorf("--preprocessing: neither one of %v nor a file: %w", modes, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&p); errors.Is(err, io.EOF) {
		return p, fmt.Errorf("--preprocessing %s: it is empty; want a YAML file of steps", given)
	} else if err != nil {
		return p, fmt.Errorf("--preprocessing %s: %w", given, err)
	}
	return p, nil
}

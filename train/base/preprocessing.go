package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"gopkg.in/yaml.v3"

	"tkit/internal/bases"
	"tkit/internal/inputfile"
	"tkit/internal/preprocessing"
)

// ChoosePreprocessing returns the given preprocessing, otherwise the base's own. What
// is given is a mode or the path of a YAML file of steps.
func ChoosePreprocessing(ctx context.Context, given string, own preprocessing.Preprocessing, b *bases.Base) (preprocessing.Preprocessing, error) {
	if given == "" && len(own.Steps) > 0 {
		return own, nil
	}
	if given == "" && b.Pixels {
		given = preprocessing.None
	}
	if given == "" {
		return own, errors.New("the base has no recorded preprocessing; choose " +
			"caffe (Keras's VGG and ResNet v1), tf (Inception, MobileNet, ResNet v2), torch (DenseNet), unit (0 to 1, TF Hub), none (0 to 255), or a YAML file of steps")
	}
	var size [3]int
	if in := b.Network.Inputs[0]; len(in.Shape) == 4 {
		for i, d := range in.Shape[1:] {
			size[i] = int(d)
		}
	}
	return ParsePreprocessing(ctx, given, size)
}

var modes = []string{preprocessing.Caffe, preprocessing.TF, preprocessing.Torch, preprocessing.Unit, preprocessing.None}

// CheckPreprocessing refuses what is neither a mode nor a file. It does not read the file.
func CheckPreprocessing(given string) error {
	if slices.Contains(modes, given) {
		return nil
	}
	if _, err := os.Stat(given); err != nil {
		return fmt.Errorf("neither one of %v nor a file: %w", modes, err)
	}
	return nil
}

// ParsePreprocessing parses a mode, which requires the size, or reads a YAML
// file, whose steps are checked once its plugins are known.
func ParsePreprocessing(ctx context.Context, given string, size [3]int) (preprocessing.Preprocessing, error) {
	if slices.Contains(modes, given) {
		if slices.Min(size[:]) < 1 {
			return preprocessing.Preprocessing{}, fmt.Errorf("%s: the base takes images of any size (%v); use a YAML file with a resize step", given, size)
		}
		p := preprocessing.ForMode(given, size[0], size[1], size[2])
		return p, p.Validate()
	}
	var p preprocessing.Preprocessing
	raw, err := inputfile.Read(ctx, given, inputfile.MaxText)
	if err != nil {
		return p, fmt.Errorf("neither one of %v nor a file: %w", modes, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&p); errors.Is(err, io.EOF) {
		return p, fmt.Errorf("%s is empty; want a YAML file of steps", given)
	} else if err != nil {
		return p, fmt.Errorf("%s: %w", given, err)
	}
	return p, nil
}

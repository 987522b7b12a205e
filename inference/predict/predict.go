// Package predict classifies image files with a registered version, without a
// server.
package predict

import (
	"context"
	"fmt"

	"tkit/datasets"
	"tkit/inference"
	"tkit/internal/inputfile"
	"tkit/internal/pipeline"
	"tkit/registry"
)

// BatchSize is the number of results that are passed on at a time.
const BatchSize = 8

// A Result is the prediction for one file.
type Result struct {
	Image   string            `json:"image"`
	Model   string            `json:"model"`
	Version int               `json:"version"`
	Labels  []inference.Label `json:"labels,omitempty"`
	// Error says why the file could not be read or used.
	Error string `json:"error,omitempty"`
}

// Row returns the image and its labels with their probabilities, or its error, as the
// cells of a table.
func (r Result) Row() []string {
	if r.Error != "" {
		return []string{r.Image, "error: " + r.Error}
	}
	row := []string{r.Image}
	for _, l := range r.Labels {
		row = append(row, fmt.Sprintf("%s %.1f %%", l.Label, 100*l.Probability))
	}
	return row
}

// A Predictor is a loaded version. Only one goroutine may use it at a time.
type Predictor struct {
	*inference.Handle
	details datasets.Details
}

// files is the inference.PartSource of one version.
type files registry.Files

func (f files) Parts(context.Context, string, int) (inference.Parts, error) {
	return inference.PartsOf(registry.Files(f)), nil
}

// Open loads a version, with the plugins that it pins. The caller closes it.
func Open(ctx context.Context, version registry.Files, plugins pipeline.Plugins) (*Predictor, error) {
	m := version.Manifest
	loader := inference.NewLoader(files(version), inference.LoaderOptions{
		Limits: inference.Limits{MaxBatch: BatchSize, MaxQueue: inference.DefaultLimits.MaxQueue}, Plugins: plugins, Cold: true,
	})
	h, err := loader.Load(ctx, m.Model, m.Version)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", m.Ref(), err)
	}
	step := m.Preprocessing.Decoding()
	return &Predictor{Handle: h, details: datasets.Details{Decode: &step}}, nil
}

// Files classifies files, and passes the results on in batches, in order. Results have
// the top most probable labels. If a file cannot be used, its result has the error.
// Files returns the number of such files.
func (p *Predictor) Files(ctx context.Context, images []File, top int, pass func([]Result) error) (failed int, err error) {
	encoded := make([][]byte, len(images)) // of the files that are being classified
	items := func(yield func(inference.Item) bool) {
		for i, image := range images {
			read := func(ctx context.Context) (_ []byte, err error) {
				encoded[i], err = image.read(ctx)
				return encoded[i], err
			}
			if !yield(inference.Item{Key: image.Path, Read: read, Optional: true}) {
				return
			}
		}
	}
	var results []Result
	err = p.Stream(ctx, items, func(i int, item inference.Item, answer inference.Prediction, err error) error {
		r := Result{Image: item.Key, Model: p.Model, Version: p.Number}
		if err != nil {
			r.Error = err.Error()
			failed++
		} else {
			r.Labels = answer.Top(top)
			// If a plugin gets the encoded image, the plugin decides which
			// details to use.
			if !p.Manifest.Preprocessing.TakesAnyFile() {
				p.details.Add(item.Key, encoded[i])
			}
		}
		encoded[i] = nil
		if results = append(results, r); len(results) < BatchSize && i+1 < len(images) {
			return nil
		}
		batch := results
		results = nil
		return pass(batch)
	})
	return failed, err
}

func (f File) read(ctx context.Context) ([]byte, error) {
	switch {
	case f.Err != nil:
		return nil, f.Err
	case f.Path == Standard:
		return inputfile.ReadStandard(ctx, datasets.DefaultMaxBytes)
	}
	return inputfile.Read(ctx, f.Path, datasets.DefaultMaxBytes)
}

// Warnings describe the details of the images that the preprocessing has not
// used so far.
func (p *Predictor) Warnings() []string { return p.details.Warnings() }

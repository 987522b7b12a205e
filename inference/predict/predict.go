// Package predict classifies image files with a registered version, without a
// server.
package predict

import (
	"context"
	"errors"
	"fmt"

	"tkit/datasets"
	"tkit/inference"
	"tkit/internal/independence"
	"tkit/internal/inputfile"
	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// BatchSize is how many files are read and sent through the network at a time.
const BatchSize = 8

// A Result is the answer for one file.
type Result struct {
	Image   string            `json:"image"`
	Model   string            `json:"model"`
	Version int               `json:"version"`
	Labels  []inference.Label `json:"labels,omitempty"`
	// Error says why the file could not be read or used.
	Error string `json:"error,omitempty"`
}

// A Predictor is a version that is loaded. It is used by one goroutine at a time.
type Predictor struct {
	version    registry.Ref
	classifier inference.Classifier
	details    datasets.Details
	opened     []interface{ Close() error }
}

// Open loads a version, with the plugins that it pins. The caller closes it.
func Open(ctx context.Context, r *registry.Registry, m *registry.Manifest, plugins pipeline.Plugins) (_ *Predictor, err error) {
	step := m.Preprocessing.Decoding()
	p := &Predictor{version: m.Ref(), classifier: inference.Classifier{Labels: m.Labels}, details: datasets.Details{Decode: &step}}
	if err := p.open(ctx, r, m, plugins); err != nil {
		return nil, errors.Join(fmt.Errorf("load %s: %w", m.Ref(), err), p.Close())
	}
	return p, nil
}

func (p *Predictor) open(ctx context.Context, r *registry.Registry, m *registry.Manifest, plugins pipeline.Plugins) (err error) {
	trunk, err := r.BlobPath(ctx, m.Trunk.Digest)
	if err != nil {
		return err
	}
	head, err := r.BlobPath(ctx, m.Head.Digest)
	if err != nil {
		return err
	}
	c := &p.classifier
	if c.Pipeline, err = pipeline.CompileWith(ctx, m.Preprocessing, plugins); err != nil {
		return err
	}
	p.opened = append(p.opened, c.Pipeline)
	if c.Trunk, err = inference.OpenTrunk(trunk, tensorflow.Config{}); err != nil {
		return independence.Retrain(err)
	}
	p.opened = append(p.opened, c.Trunk)
	if c.Head, err = inference.OpenHead(head, tensorflow.Config{RunInCaller: true}); err != nil {
		return err
	}
	p.opened = append(p.opened, c.Head)
	return nil
}

// Close ends the network and the plugins.
func (p *Predictor) Close() error {
	var errs []error
	for _, o := range p.opened {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// Files classifies files and passes the results on in batches, in order. Results
// have the top most probable labels. A file that cannot be used has its error in
// its result. Files returns the number of those.
func (p *Predictor) Files(ctx context.Context, paths []string, top int, pass func([]Result) error) (failed int, err error) {
	for at := 0; at < len(paths); at += BatchSize {
		if err := ctx.Err(); err != nil {
			return failed, err
		}
		results, err := p.batch(ctx, paths[at:min(at+BatchSize, len(paths))], top)
		if err != nil {
			return failed, err
		}
		for _, r := range results {
			if r.Error != "" {
				failed++
			}
		}
		if err := pass(results); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// batch reads and classifies files in one batch.
func (p *Predictor) batch(ctx context.Context, paths []string, top int) ([]Result, error) {
	results := make([]Result, len(paths))
	var images [][]byte
	var read []int // the index of each image among the paths
	for i, path := range paths {
		results[i] = Result{Image: path, Model: p.version.Model, Version: p.version.Version}
		encoded, err := inputfile.Read(ctx, path, datasets.DefaultMaxBytes)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			results[i].Error = err.Error()
			continue
		}
		images, read = append(images, encoded), append(read, i)
	}
	answers, err := p.classifier.Classify(ctx, images)
	if err != nil {
		return nil, err
	}
	for k, answer := range answers {
		r := &results[read[k]]
		if answer.Err != nil {
			r.Error = answer.Err.Error()
			continue
		}
		r.Labels = answer.Top(top)
		// Where a plugin gets the encoded image, the details are its to use.
		if !p.classifier.Pipeline.Description().TakesAnyFile() {
			p.details.Add(r.Image, images[k])
		}
	}
	return results, nil
}

// Warnings say what the preprocessing did not use of the images so far.
func (p *Predictor) Warnings() []string { return p.details.Warnings() }

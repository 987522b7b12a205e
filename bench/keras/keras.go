// Package keras runs the Python side of benchmarks: Keras 3 on TensorFlow, in
// separate processes.
package keras

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"tkit/bench/fixtures"
	"tkit/bench/peer"
	"tkit/bench/photographs"
)

//go:embed base.py
var baseScript string

//go:embed bottlenecks.py
var bottlenecksScript string

//go:embed finetune.py
var finetuneScript string

// Base is ResNet-50 with random weights, in two forms.
type Base struct {
	SavedModel string // folder with the whole network, as exported by Keras
	Weights    string // file with all weights except the classifier's, as loaded by Keras
}

// ResNet50 creates the base with Keras, once.
func ResNet50(ctx context.Context) (Base, error) {
	sample, err := photographs.Folder(5, 8) // for the statistics of batch normalisation
	if err != nil {
		return Base{}, err
	}
	const making = 2 // changes with the output of base.py
	dir, err := fixtures.Folder(fmt.Sprintf("resnet50-%d-%s", making, filepath.Base(sample)), func(dir string) error {
		_, err := run(ctx, baseScript, dir, sample)
		return err
	})
	return Base{SavedModel: filepath.Join(dir, "saved_model"), Weights: filepath.Join(dir, "notop.weights.h5")}, err
}

// FineTune runs the guide's recipe in a process of its own and returns the
// accuracy on the folder test.
func FineTune(ctx context.Context, weights, train, test string, epochs int) (accuracy float64, err error) {
	out, err := run(ctx, finetuneScript, weights, train, test, strconv.Itoa(epochs))
	if err != nil {
		return 0, err
	}
	var answer struct{ Accuracy float64 }
	if err := json.Unmarshal(out, &answer); err != nil {
		return 0, fmt.Errorf("keras: %q: %w", out, err)
	}
	return answer.Accuracy, nil
}

// Predictor is a process that repeatedly computes the bottlenecks of a folder
// of photographs. Close ends it.
type Predictor struct{ peer *peer.Peer }

// Prediction is one round of a Predictor.
type Prediction struct {
	Seconds float64   `json:"seconds"`
	Images  int       `json:"images"`
	First   []float32 `json:"first"` // bottleneck of the first photograph by name
}

// NewPredictor starts the process and runs a first round, in which Keras traces
// its functions.
func NewPredictor(ctx context.Context, weights, photographs string, batch int) (*Predictor, error) {
	cmd, err := command(ctx, bottlenecksScript, weights, photographs, strconv.Itoa(batch))
	if err != nil {
		return nil, err
	}
	p := new(Predictor)
	if p.peer, err = peer.Start(cmd); err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	if _, err := p.Predict(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Predict runs one round.
func (p *Predictor) Predict() (Prediction, error) {
	var answer Prediction
	line, err := p.peer.Ask("predict")
	if err != nil {
		return answer, fmt.Errorf("keras, see above: %w", err)
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return answer, fmt.Errorf("keras: %q: %w", line, err)
	}
	return answer, nil
}

// Close ends the process.
func (p *Predictor) Close() error { return p.peer.Close() }

// run runs a script and returns its output.
func run(ctx context.Context, script string, args ...string) ([]byte, error) {
	cmd, err := command(ctx, script, args...)
	if err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	return out, nil
}

func command(ctx context.Context, script string, args ...string) (*exec.Cmd, error) {
	python, err := Python()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, append([]string{"-c", script}, args...)...)
	cmd.Env = append(os.Environ(), "KERAS_BACKEND=tensorflow", "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=-1")
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// Python returns the interpreter with Keras: TKIT_PYTHON, or the one installed
// by scripts/install-python.
func Python() (string, error) {
	python := os.Getenv("TKIT_PYTHON")
	if python == "" {
		root, err := fixtures.Root()
		if err != nil {
			return "", err
		}
		python = filepath.Join(root, ".deps", "python", "bin", "python")
	}
	if _, err := os.Stat(python); err != nil {
		return "", fmt.Errorf("no Python with Keras: %w; run scripts/install-python, or set TKIT_PYTHON", err)
	}
	return python, nil
}

// Command head trains a head on 3,000 bottlenecks of 2,048 numbers in 102
// classes, a sweep of seven penalties with a final solution, alternating with
// scikit-learn's LogisticRegression (lbfgs) doing the same in a separate
// process: same features and objective, float32, its default tolerance, each
// penalty starting from the solution of the previous one if that is faster. The
// objectives that both reach are compared for each penalty: tkit's must not be
// worse by more than 1e-4.
package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tkit/bench/measure"
	"tkit/bench/peer"
	"tkit/train/head"
)

const (
	trainExamples      = 3000
	validationExamples = 510
	dim                = 2048
	classes            = 102
	tolerance          = 1e-4 // scikit-learn's own, on its gradient
	rounds             = 3
)

var penalties = []float64{1, .3, .1, .03, .01, .003, .001}

//go:embed sklearn.py
var script string

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench/head:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench-head")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	train, validation := synthesise()
	labels := make([]string, classes)
	for i := range labels {
		labels[i] = fmt.Sprint(i)
	}
	other, err := startPeer(ctx, dir, train, validation)
	if err != nil {
		return err
	}
	defer other.Close()

	var ours *head.Result
	mine := func() (float64, error) {
		start := time.Now()
		var err error
		ours, err = head.Train(ctx, train, validation, labels, head.Options{Penalties: penalties, Full: true})
		return 1 / time.Since(start).Seconds(), err
	}
	var theirs answer
	sklearn := func() (float64, error) {
		var err error
		theirs, err = fit(other)
		return 1 / theirs.Seconds, err
	}
	speed, reference, ratio, err := measure.Interleave(rounds, mine, sklearn)
	if err != nil {
		return err
	}
	worst, best := 0.0, math.Inf(1)
	iterations := ours.Iterations
	for i, t := range ours.Trials {
		excess := t.Objective/theirs.Objectives[i] - 1
		worst, best = max(worst, excess), min(best, excess)
		iterations += t.Iterations
	}
	note := fmt.Sprintf("seconds %.2f against %.2f (%s), iterations %d against %d, objectives relative to theirs from %+.1e to %+.1e",
		1/speed, 1/reference, theirs.Way, iterations, theirs.Iterations, best, worst)
	return measure.Print(measure.Row{
		What: "head, 3,000 × 2,048, 102 classes, 7 penalties", Against: "scikit-learn LogisticRegression(lbfgs)",
		Measured: speed, Reference: reference, Unit: "sweeps/s", Ratio: ratio, Target: 1, Note: note,
	}, measure.Row{
		What: "worst objective of the sweep", Against: "scikit-learn's at the same tolerance",
		Measured: 1 + worst, Reference: 1, Unit: "×", Ratio: 1 + worst, Target: 1 + 1e-4, AtMost: true,
	})
}

// synthesise generates bottlenecks like those of a convolutional network:
// non-negative, correlated, with a slowly decreasing spectrum, in overlapping
// classes.
func synthesise() (train, validation head.Set) {
	const latent, spread = 256, 2.5
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(n int, scale func(i int) float64) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64() * scale(i)
		}
		return v
	}
	spectrum := func(i int) float64 { return 1 / math.Sqrt(1+float64(i%latent)) }
	centres := normal(classes*latent, spectrum)
	mixing := normal(latent*dim, func(int) float64 { return 1 })
	make := func(n int) head.Set {
		s := head.Set{Dim: dim}
		row := make([]float64, dim)
		for i := range n {
			class := i % classes
			s.Labels = append(s.Labels, class)
			noise := normal(latent, func(i int) float64 { return spread * spectrum(i) })
			clear(row)
			for l := range latent {
				z := centres[class*latent+l] + noise[l]
				for j := range row {
					row[j] += z * mixing[l*dim+j]
				}
			}
			for _, v := range row {
				s.Features = append(s.Features, float32(max(0, v/7+.3*rng.NormFloat64()-.3)))
			}
		}
		return s
	}
	return make(trainExamples), make(validationExamples)
}

type answer struct {
	Seconds    float64
	Way        string
	Iterations int
	Objectives []float64
}

// startPeer starts the scikit-learn process.
func startPeer(ctx context.Context, dir string, train, validation head.Set) (*peer.Peer, error) {
	for name, s := range map[string]head.Set{"train": train, "validation": validation} {
		file := make([]byte, 0, 4*len(s.Features))
		for _, v := range s.Features {
			file = binary.LittleEndian.AppendUint32(file, math.Float32bits(v))
		}
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			return nil, err
		}
	}
	job, err := json.Marshal(map[string]any{"dir": dir, "dim": dim, "classes": classes, "tolerance": tolerance, "penalties": penalties})
	if err != nil {
		return nil, err
	}
	python := os.Getenv("TKIT_PYTHON")
	if python == "" {
		python = filepath.Join(".deps", "python", "bin", "python")
	}
	cmd := exec.CommandContext(ctx, python, "-c", script, string(job))
	// scikit-learn uses the BLAS that it selects by itself.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OPENBLAS_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Stderr = os.Stderr
	return peer.Start(cmd)
}

// fit makes the peer run the whole sweep once.
func fit(p *peer.Peer) (a answer, err error) {
	line, err := p.Ask("fit")
	if err != nil {
		return a, fmt.Errorf("scikit-learn: %w", err)
	}
	return a, json.Unmarshal(line, &a)
}

package scratch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/durable"
	"tkit/internal/savedmodel/bundle"
)

// A checkpoint is a folder "step-NNNNNNNNNN" with TensorFlow's checkpoint
// files, which verify their content by CRC-32C, and progress.json. It is
// written under a temporary name and renamed, so an existing one is complete.
const (
	checkpointPrefix = "step-"
	variablesName    = "variables"
	progressName     = "progress.json"
	bestPrefix       = "best/"
	partialPrefix    = ".partial-"
)

// position is the state of a run besides its variables.
type position struct {
	// Run identifies the run: another run's checkpoint is not used.
	Run string `json:"run"`
	// Step is the number of completed steps.
	Step int `json:"step"`
	// Losses of the current epoch.
	LossSum float64 `json:"loss_sum"`
	LossN   int     `json:"loss_images"`

	History  []Epoch `json:"history"`
	BestLoss float64 `json:"best_loss"`
	BestAt   int     `json:"best_epoch"` // 0: none yet
}

// save writes a checkpoint and removes older ones.
func save(dir string, p position, slots []slot, state, best values) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("checkpoint in %s: %w", dir, err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, partialPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := writeVariables(filepath.Join(work, variablesName), slots, state, best); err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(work, progressName), raw, 0o600); err != nil {
		return err
	}
	final := filepath.Join(dir, fmt.Sprintf("%s%010d", checkpointPrefix, p.Step))
	if err := os.Rename(work, final); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil // this step is already saved
	}
	if err := durable.SyncFolder(dir); err != nil {
		return err
	}
	return removeBefore(dir, filepath.Base(final))
}

func writeVariables(prefix string, slots []slot, state, best values) (err error) {
	w, err := bundle.Create(prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for _, sl := range slots {
		if err := w.Add(sl.name, bundle.Tensor{DataType: types.DataType_DT_FLOAT, Shape: sl.shape, Data: state[sl.name]}); err != nil {
			return err
		}
		if raw, ok := best[sl.name]; ok && sl.weight {
			if err := w.Add(bestPrefix+sl.name, bundle.Tensor{DataType: types.DataType_DT_FLOAT, Shape: sl.shape, Data: raw}); err != nil {
				return err
			}
		}
	}
	return w.Finish()
}

// load finds the newest checkpoint of the run. If there is none, found is
// false. An unreadable checkpoint is skipped if an older one exists; otherwise
// it is an error.
func load(dir, run string, slots []slot) (p position, state, best values, found bool, err error) {
	names, err := checkpoints(dir)
	if err != nil {
		return p, nil, nil, false, err
	}
	var problems []error
	for _, name := range slices.Backward(names) {
		folder := filepath.Join(dir, name)
		p, state, best, err := read(folder, slots)
		if err != nil {
			problems = append(problems, fmt.Errorf("checkpoint %s: %w; remove it to start afresh", folder, err))
			continue
		}
		if p.Run != run {
			return position{}, nil, nil, false, fmt.Errorf("checkpoint %s belongs to another run; remove it, or use another folder", folder)
		}
		return p, state, best, true, nil
	}
	return position{}, nil, nil, false, errors.Join(problems...)
}

func read(folder string, slots []slot) (p position, state, best values, err error) {
	raw, err := os.ReadFile(filepath.Join(folder, progressName))
	if err != nil {
		return p, nil, nil, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, nil, nil, fmt.Errorf("%s: %w", progressName, err)
	}
	r, err := bundle.Open(filepath.Join(folder, variablesName))
	if err != nil {
		return p, nil, nil, err
	}
	defer r.Close()
	state, best = make(values), make(values)
	take := func(into values, key string, sl slot) error {
		t, err := r.Tensor(key)
		if err != nil {
			return err
		}
		if t.DataType != types.DataType_DT_FLOAT || !slices.Equal(t.Shape, sl.shape) {
			return fmt.Errorf("%s is %v %v, the network has float32 %v", key, t.DataType, t.Shape, sl.shape)
		}
		into[sl.name] = t.Data
		return nil
	}
	for _, sl := range slots {
		if err := take(state, sl.name, sl); err != nil {
			return p, nil, nil, err
		}
		if sl.weight && p.BestAt > 0 {
			if err := take(best, bestPrefix+sl.name, sl); err != nil {
				return p, nil, nil, err
			}
		}
	}
	return p, state, best, nil
}

// checkpoints lists the complete ones, oldest first, and removes the remains of
// interrupted writes.
func checkpoints(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoints: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), partialPrefix):
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("checkpoints: %w", err)
			}
		case strings.HasPrefix(e.Name(), checkpointPrefix):
			names = append(names, e.Name())
		}
	}
	return names, nil // ReadDir sorts, and the step numbers are padded
}

// kept is the number of checkpoints kept, in case the newest is damaged.
const kept = 2

func removeBefore(dir, newest string) error {
	names, err := checkpoints(dir)
	if err != nil {
		return err
	}
	at := slices.Index(names, newest)
	for _, name := range names[:max(0, at+1-kept)] {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Package status keeps what the run of a pipeline tells about itself in a file of the
// home, for other processes.
package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tkit/internal/durable"
	"tkit/internal/inputfile"
)

// A Status is the state of a pipeline: of its run in progress, or of the last one.
type Status struct {
	Pipeline  string `json:"pipeline"`
	File      string `json:"file"` // with the description of the pipeline
	Principal string `json:"principal"`
	// Process is the number of the process, from 1, among those that run the pipeline.
	Process int `json:"process"`
	// Running is whether a run is in progress. It is not kept: the lock of the run
	// says it.
	Running bool      `json:"running"`
	Started time.Time `json:"started"`
	Updated time.Time `json:"updated"`

	Read           int64 `json:"read"`            // images from the inputs
	Delivered      int64 `json:"delivered"`       // images that all outputs have accepted
	FailedAttempts int64 `json:"failed_attempts"` // attempts to process or deliver an image that failed
	Dead           int64 `json:"dead"`            // images that became dead letters
	InFlight       int64 `json:"in_flight"`       // images between the input and the last output
	Waiting        int   `json:"waiting"`         // images that the inputs know of and have not read

	Components map[string]Component `json:"components,omitempty"` // by their path in the file
	// Down are the components for which images wait, in a run in progress.
	Down []Outage `json:"down,omitempty"`

	DeadLetters string `json:"dead_letters"` // the folder, "" if they are in a topic
	// DeadLetterTopic is the topic of Kafka with the dead letters, "" if they are in a
	// folder.
	DeadLetterTopic string   `json:"dead_letter_topic,omitempty"`
	Failure         *Failure `json:"last_failure,omitempty"`
	Metrics         string   `json:"metrics,omitempty"` // the address of the run's HTTP server
	Ended           bool     `json:"ended"`             // the last run has said that it ends
	// Error is why the last run ended, "" if it was stopped or has delivered
	// everything.
	Error string `json:"error,omitempty"`
}

// A Failure is a failed attempt to process or deliver an image.
type Failure struct {
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
	Stage  string    `json:"stage"`
	Cause  string    `json:"cause"`
}

// An Outage is a component of a run that is down, such as an output whose service does
// not answer.
type Outage struct {
	Component string    `json:"component"` // its name, and its label if it has one
	Since     time.Time `json:"since"`
	Cause     string    `json:"cause"` // of the last failure
}

const fileName = "status.json"

// Write replaces the status in the folder of a pipeline's state.
func Write(folder string, s Status) error {
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = durable.ReplaceFile(folder, filepath.Join(folder, fileName), append(encoded, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("the status of the pipeline: %w", err)
	}
	return nil
}

// Read reads the status from the folder of a pipeline's state. A pipeline that has never
// run is an error that wraps fs.ErrNotExist.
func Read(ctx context.Context, folder string) (Status, error) {
	var s Status
	encoded, err := inputfile.Read(ctx, filepath.Join(folder, fileName), inputfile.MaxText)
	if err == nil {
		err = json.Unmarshal(encoded, &s)
	}
	if err == nil {
		s.Running, err = isLocked(folder, RunLock)
	}
	if err != nil {
		return s, fmt.Errorf("the status of the pipeline %s: %w", filepath.Base(folder), err)
	}
	return s, nil
}

// List reads the status of some pipelines of a home, by name, or of all that have run.
// A pipeline that runs in several processes has a status for each of them. A home
// without pipelines is not an error.
func List(ctx context.Context, home string, names ...string) (Table, error) {
	all := Table{}
	for _, name := range names {
		if name != filepath.Base(name) {
			return nil, fmt.Errorf("%q is not the name of a pipeline; its file says the name", name)
		}
		processes, err := ofPipeline(ctx, home, name)
		if err == nil && len(processes) == 0 {
			err = fmt.Errorf("no pipeline %s has run with this home: %w", name, fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, processes...)
	}
	if len(names) > 0 {
		return all, nil
	}
	entries, err := os.ReadDir(Folder(home, "", 1))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		processes, err := ofPipeline(ctx, home, e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, processes...)
	}
	return all, nil
}

// ofPipeline reads the status of the processes of a pipeline. It is empty if the
// pipeline has not started yet. Of the processes after the first, those that have ended
// as they should are left out.
func ofPipeline(ctx context.Context, home, name string) (all Table, err error) {
	for process := 1; ; process++ {
		folder := Folder(home, name, process)
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			return all, nil
		}
		s, err := Read(ctx, folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has not started yet
		}
		if err != nil {
			return nil, err
		}
		if process == 1 || s.State() != ended {
			all = append(all, s)
		}
	}
}

// Folder returns the folder of the state of a pipeline's process in a home. That of the
// first one, 1, is the pipeline's own.
func Folder(home, pipeline string, process int) string {
	folder := filepath.Join(home, "ingest", pipeline)
	if process > 1 {
		folder = filepath.Join(folder, fmt.Sprintf("process-%d", process))
	}
	return folder
}

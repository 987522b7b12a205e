package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tkit/internal/evaluation"
	"tkit/internal/preprocessing"
	"tkit/registry/blobs"
)

// manifestFormat is the only format of manifests that this package writes and reads.
const manifestFormat = 1

// A Manifest describes a version completely. A manifest that was read from a registry is
// shared and must not be changed.
type Manifest struct {
	// Format, Version, Created and the parts are set by Register.
	Format      int       `json:"format"`
	Model       string    `json:"model"`
	Version     int       `json:"version"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`

	// Trunk is the network up to the cut, Head the network after it, both in the
	// format of internal/network. A model trained from scratch is cut, too.
	Trunk Part      `json:"trunk"`
	Cut   CutRecord `json:"cut"`
	Head  Part      `json:"head"`
	// Attachments are other blobs that belong to the version, by name, such
	// as a report or a sample to compare precisions on.
	Attachments map[string]Part `json:"attachments,omitempty"`

	// Labels names the classes in the order of the head's outputs.
	Labels        []string                    `json:"labels"`
	Preprocessing preprocessing.Preprocessing `json:"preprocessing"`
	Signature     Signature                   `json:"signature"`

	// Metrics is the evaluation on examples that were not used for training; nil
	// if there was none.
	Metrics *evaluation.Evaluation `json:"metrics,omitempty"`
	Lineage Lineage                `json:"lineage"`
}

// A Part is a blob of a version.
type Part struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
}

// A CutRecord is the JSON form, in a manifest, of a network.Cut: where the base
// was divided into trunk and head. The registry has its own type, so that it reads
// manifests without TensorFlow.
type CutRecord struct {
	// Endpoint is the name of the base's endpoint.
	Endpoint string `json:"endpoint"`
	// Pool is how the endpoint becomes the bottleneck, such as "avg" or
	// "flatten"; "" leaves it as it is.
	Pool string `json:"pool"`
}

// A Signature describes the inputs and outputs of the exported SavedModel.
type Signature struct {
	Inputs  []TensorSpec `json:"inputs"`
	Outputs []TensorSpec `json:"outputs"`
}

// A TensorSpec is the JSON form, in a manifest, of a network.TensorInfo, without
// the tensor's name in the graph, which differs between a network and its exports.
type TensorSpec struct {
	Name     string `json:"name"`
	DataType string `json:"dtype"` // as TensorFlow prints it: "float32"
	// Shape has -1 for unknown dimensions, such as the batch; nil is an unknown
	// rank.
	Shape []int64 `json:"shape"`
}

// Lineage is what a version was made from: enough to train it again, and to know which
// data restrict it.
type Lineage struct {
	Snapshots []SnapshotRef `json:"snapshots,omitempty"`
	// Base is nil for a model trained from scratch.
	Base *Base `json:"base,omitempty"`
	// Code is the version of tkit.
	Code string `json:"code"`
	Seed uint64 `json:"seed"`
	// Command is the command line, the program's name first.
	Command []string `json:"command,omitempty"`
	// Parameters are all settings of the run, including defaults.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// A SnapshotRef refers to the snapshot of a dataset that a version was trained on.
type SnapshotRef struct {
	URI     string `json:"uri"`
	Digest  Digest `json:"digest"`
	Entries int    `json:"entries"`
	// Datasets are the registered datasets that the snapshot belonged to when the
	// version was trained; none if the data was not registered.
	Datasets []string `json:"datasets,omitempty"`
}

// A Base refers to the pretrained SavedModel that a trunk was cut from.
type Base struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
	// Version is set when the base is itself a registered version, as in
	// "flowers@7"; its lineage is then part of this one.
	Version string `json:"version,omitempty"`
	// Random says that the base's weights are random: it was never trained.
	Random bool `json:"random,omitempty"`
}

// Ref returns the reference of the version by number.
func (m *Manifest) Ref() Ref { return Ref{Model: m.Model, Version: m.Version} }

// parts returns all blobs of the version by name.
func (m *Manifest) parts() map[string]Part {
	all := map[string]Part{"trunk": m.Trunk, "head": m.Head}
	for name, p := range m.Attachments {
		all["attachments/"+name] = p
	}
	return all
}

// validate checks what can be checked without the registry.
func (m *Manifest) validate() error {
	if err := CheckModelName(m.Model); err != nil {
		return err
	}
	if err := errors.Join(m.Preprocessing.Validate(), m.Preprocessing.Pinned()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for name, p := range m.parts() {
		if _, err := blobs.ParseDigest(string(p.Digest)); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
		}
	}
	if err := errors.Join(checkLabels(m.Labels), m.Signature.check(), m.Lineage.check()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func checkLabels(labels []string) error {
	if len(labels) < 2 {
		return fmt.Errorf("%d labels: a classifier has at least two", len(labels))
	}
	seen := make(map[string]bool, len(labels))
	for i, l := range labels {
		if l == "" {
			return fmt.Errorf("label %d is empty", i)
		}
		if strings.ContainsAny(l, "\r\n") {
			return fmt.Errorf("label %q has a line break", l)
		}
		if seen[l] {
			return fmt.Errorf("label %q occurs twice", l)
		}
		seen[l] = true
	}
	return nil
}

func (s Signature) check() error {
	if len(s.Inputs) == 0 || len(s.Outputs) == 0 {
		return fmt.Errorf("the signature has %d inputs and %d outputs", len(s.Inputs), len(s.Outputs))
	}
	for _, p := range append(s.Inputs[:len(s.Inputs):len(s.Inputs)], s.Outputs...) {
		if p.Name == "" || p.DataType == "" {
			return fmt.Errorf("port %q of the signature has the type %q", p.Name, p.DataType)
		}
	}
	return nil
}

func (l Lineage) check() error {
	for _, s := range l.Snapshots {
		if s.URI == "" || s.Digest == "" {
			return fmt.Errorf("snapshot %q in the lineage has the digest %q", s.URI, s.Digest)
		}
	}
	if l.Base != nil && l.Base.Digest == "" {
		return fmt.Errorf("base %q in the lineage has no digest", l.Base.Name)
	}
	return nil
}

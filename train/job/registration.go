package job

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"

	"tkit/inference"
	"tkit/registry"
	"tkit/registry/export"
	"tkit/train"
)

// registration returns the registration of a result.
func (r *run) registration(result *train.Result) (n registry.Registration, err error) {
	var snapshot bytes.Buffer
	if err := result.Snapshot.Encode(&snapshot); err != nil {
		return n, err
	}
	report, err := json.Marshal(result.Report)
	if err != nil {
		return n, err
	}
	sample, err := archive(result.Sample)
	if err != nil {
		return n, err
	}
	return registry.Registration{
		Manifest: registry.Manifest{
			Model: r.Model, Description: r.Description,
			Cut:    registry.CutRecord{Endpoint: result.Cut.Endpoint, Pool: string(result.Cut.Pool)},
			Labels: result.Labels, Preprocessing: result.Preprocessing,
			Signature: registry.Signature{Inputs: export.TensorSpecs(result.Trunk.Inputs), Outputs: export.TensorSpecs(result.Head.Outputs)},
			Metrics:   result.Evaluation,
			Lineage: registry.Lineage{
				Snapshots: []registry.SnapshotRef{{URI: result.Snapshot.URI, Digest: registry.Digest(result.Snapshot.Digest), Entries: len(result.Snapshot.Entries)}},
				Base:      r.base, Code: r.Code, Seed: r.Seed, Command: r.Command, Parameters: r.Parameters,
			},
		},
		Trunk: registry.FromEncoder(result.Trunk),
		Head:  registry.FromEncoder(result.Head),
		Attachments: map[string]registry.Content{
			"snapshot.jsonl":           registry.FromReader(&snapshot),
			"data.json":                registry.FromReader(bytes.NewReader(report)),
			"training.jsonl":           registry.FromReader(&r.told),
			inference.SampleAttachment: registry.FromReader(sample),
		},
		By: r.By,
	}, nil
}

// archive creates the attachment that a server uses to compare precisions.
func archive(images [][]byte) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, image := range images {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%03d", i), Mode: 0o600, Size: int64(len(image))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(image); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}

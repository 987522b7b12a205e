package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/inference"
	"tkit/internal/printable"
	"tkit/registry"
	"tkit/registry/export"
	"tkit/train"
)

// register hands a result to the registry and says how to go on.
func (t *training) register(r *train.Result) error {
	n, err := t.registration(r)
	if err != nil {
		return err
	}
	if err := t.stillReadable(r.Snapshot); err != nil {
		return err
	}
	// Written down before it is done; the transaction asks once more.
	if err := t.rights.Authorize(t.Context.Context); err != nil {
		return err
	}
	v, err := t.registry.Register(t.Context.Context, *n)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := r.Kept(); err != nil {
		return err
	}
	m := v.Manifest
	if t.Bool("promote") {
		_, err := moveAlias(t.Context, t.registry, m.Model, "promote", func(admit registry.AdmitMove) (registry.Alias, error) {
			return t.registry.Promote(t.Context.Context, m.Model, m.Version, registry.Production, n.By, admit)
		})
		if err != nil {
			return fmt.Errorf("%s is registered, but not promoted: %w", m.Ref(), err)
		}
	}
	out := t.App.Writer
	if t.Bool("json") {
		return train.WriteJSON(out, "registered", v)
	}
	if r.Evaluation != nil {
		if err := r.Evaluation.WriteText(out); err != nil {
			return err
		}
	}
	printable.Fprintf(out, "\nregistered %s, cut at %s\n", m.Ref(), r.Cut)
	if t.Bool("promote") {
		printable.Fprintf(out, "it is in production: tkit predict --model %s IMAGE, or tkit serve\n", m.Model)
		return nil
	}
	printable.Fprintf(out, "try it:      tkit predict --model %s IMAGE\npromote it:  tkit registry promote %s\n", m.Ref(), m.Ref())
	return nil
}

// registration is the version to be.
func (t *training) registration(r *train.Result) (*registry.Registration, error) {
	var snapshot bytes.Buffer
	if err := r.Snapshot.Encode(&snapshot); err != nil {
		return nil, err
	}
	report, err := json.Marshal(r.Report)
	if err != nil {
		return nil, err
	}
	sample, err := archive(r.Sample)
	if err != nil {
		return nil, err
	}
	parameters := map[string]string{}
	for _, f := range trainFlags() {
		if idle(t.Context, f) {
			continue
		}
		name := f.Names()[0]
		switch v := t.Value(name).(type) {
		case cli.StringSlice:
			if tags := v.Value(); len(tags) > 0 {
				parameters[name] = strings.Join(tags, " ")
			}
		default:
			if text := fmt.Sprint(v); text != "" {
				parameters[name] = text
			}
		}
	}
	return &registry.Registration{
		Manifest: registry.Manifest{
			Model: t.String("name"), Description: t.String("description"),
			Cut:    registry.Cut{Endpoint: r.Cut.Endpoint, Pool: string(r.Cut.Pool)},
			Labels: r.Labels, Preprocessing: r.Preprocessing,
			Signature: registry.Signature{Inputs: export.Ports(r.Trunk.Inputs), Outputs: export.Ports(r.Head.Outputs)},
			Metrics:   r.Evaluation,
			Lineage: registry.Lineage{
				Snapshots: []registry.SnapshotRef{{URI: r.Snapshot.URI, Digest: registry.Digest(r.Snapshot.Digest), Entries: len(r.Snapshot.Entries), Datasets: t.names}},
				Base:      t.base, Code: version, Seed: t.Uint64("seed"), Command: os.Args, Parameters: parameters,
			},
		},
		Trunk: registry.FromEncoder(r.Trunk),
		Head:  registry.FromEncoder(r.Head),
		Attachments: map[string]registry.Content{
			"snapshot.jsonl":           registry.FromReader(&snapshot),
			"data.json":                registry.FromReader(bytes.NewReader(report)),
			"training.jsonl":           registry.FromReader(&t.told),
			inference.SampleAttachment: registry.FromReader(sample),
		},
		By:        change(t.Context),
		Permitted: t.rights.Check,
	}, nil
}

// archive makes the attachment by which a server judges precisions.
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

// Package definition reads and checks the file of a pipeline.
package definition

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

	"tkit/ingest/classify"
	"tkit/ingest/components"
	"tkit/ingest/graph"
	"tkit/internal/inputfile"
	"tkit/internal/printable"
	"tkit/registry"
)

// A Definition is what the file of a pipeline says.
type Definition struct {
	components.Delivery
	// Engine is the configuration for the stream engine, in YAML. Its input is wrapped
	// in components.DeliveryInput, and its outputs refuse images that have failed.
	Engine string
	Graph  *graph.Graph
	// Groups are the groups of processors in Engine: for each the index of its first
	// processor in the file.
	Groups []int
	// Models are those of all classifiers in this process, each once.
	Models []registry.Ref
	// Keep says which bottlenecks are kept.
	Keep classify.Keep
	// Shared is whether any number of processes may run the pipeline at a time: their
	// inputs divide the images.
	Shared bool
}

// A Report says what Lint has found in a file.
type Report struct {
	File     string    `json:"file"`
	Findings []Finding `json:"findings"` // by line; never nil
}

// WriteText writes each finding in a line, as FILE:LINE: TEXT, or that there are none.
func (r Report) WriteText(w io.Writer) error {
	if len(r.Findings) == 0 {
		_, err := printable.Fprintf(w, "%s has no mistakes\n", r.File)
		return err
	}
	for _, f := range r.Findings {
		if _, err := printable.Fprintf(w, "%s:%d: %s\n", r.File, f.Line, f.text()); err != nil {
			return err
		}
	}
	return nil
}

// Err returns an error if there are findings.
func (r Report) Err() error {
	if len(r.Findings) == 0 {
		return nil
	}
	return fmt.Errorf("%s: mistakes: %d; the first is in %s", r.File, len(r.Findings), r.Findings[0])
}

// Lint checks a file.
func Lint(ctx context.Context, file string) (Report, error) {
	text, err := inputfile.Read(ctx, file, inputfile.MaxText)
	if err != nil {
		return Report{}, err
	}
	findings, err := Check(text)
	return Report{file, append([]Finding{}, findings...)}, err
}

// Read reads a file. A file with mistakes is an error.
func Read(ctx context.Context, file string) (*Definition, error) {
	text, err := inputfile.Read(ctx, file, inputfile.MaxText)
	if err != nil {
		return nil, err
	}
	findings, err := Check(text)
	if err != nil {
		return nil, err
	}
	if err := (Report{file, findings}).Err(); err != nil {
		return nil, err
	}
	d, err := parse(text, filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// Replay returns the configuration for a run whose images are the dead letters.
func (d *Definition) Replay() (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(d.Engine), &document); err != nil {
		return "", err
	}
	root := document.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "input" {
			letters := mapping(components.LettersInput, &yaml.Node{Kind: yaml.MappingNode})
			root.Content[i+1] = mapping(components.DeliveryInput, mapping("input", letters))
		}
	}
	encoded, err := encode(root)
	return string(encoded), err
}

// parse reads a text that Check has accepted. Paths are relative to the folder.
func parse(text []byte, folder string) (*Definition, error) {
	root, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	d := &Definition{Graph: graph.New(root)}
	if d.Delivery, err = parseDelivery(root, folder); err != nil {
		return nil, err
	}
	_, engine := split(root)
	if err := d.findModels(engine, folder); err != nil {
		return nil, err
	}
	d.Shared = isShared(graph.Field(engine, "input"))
	d.Groups = wrap(engine)
	encoded, err := encode(engine)
	if err != nil {
		return nil, err
	}
	d.Engine = string(encoded)
	return d, nil
}

// parseDelivery reads the fields that are tkit's. Paths are relative to the folder.
func parseDelivery(root *yaml.Node, folder string) (components.Delivery, error) {
	ours, _ := split(root)
	ours = expand(ours)
	if err := setVariables(ours); err != nil {
		return components.Delivery{}, err
	}
	encoded, err := encode(ours)
	if err != nil {
		return components.Delivery{}, err
	}
	return components.ParseDelivery(string(encoded), folder)
}

// findModels finds the models of all classifiers in this process, and the places of the
// images. Paths are relative to the folder.
func (d *Definition) findModels(engine *yaml.Node, folder string) error {
	env := service.NewEnvironment()
	if err := components.Register(env, nil); err != nil {
		return err
	}
	encoded, err := encode(engine)
	if err != nil {
		return err
	}
	b := env.NewStreamBuilder()
	if err := b.SetYAML(string(encoded)); err != nil {
		return err
	}
	return b.WalkComponents(func(c *service.WalkedComponent) error {
		if place, err := components.PlaceOf(c.ComponentType, c.Name, c.ConfigYAML(), folder); err != nil || place != "" {
			d.Keep.Places = append(d.Keep.Places, place)
			return err
		}
		if c.Name != components.Classifier {
			return nil
		}
		l, err := components.Locally(c.ConfigYAML())
		for _, ref := range l.Models {
			if !slices.Contains(d.Models, ref) {
				d.Models = append(d.Models, ref)
			}
		}
		d.Keep.MostBytes = max(d.Keep.MostBytes, l.KeepBytes)
		return err
	})
}

// isShared reports whether an input divides its images among processes.
func isShared(input *yaml.Node) bool {
	broker := graph.Field(input, "broker")
	if broker == nil {
		return graph.Field(input, components.KafkaInput) != nil
	}
	inputs := graph.Field(broker, "inputs")
	return inputs != nil && !slices.ContainsFunc(inputs.Content, func(one *yaml.Node) bool { return !isShared(one) })
}

// split divides the fields of a pipeline into tkit's own and those of the engine.
func split(root *yaml.Node) (ours, engine *yaml.Node) {
	ours, engine = &yaml.Node{Kind: yaml.MappingNode}, &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(root.Content); i += 2 {
		to := engine
		if slices.Contains(components.PipelineFields(), root.Content[i].Value) {
			to = ours
		}
		to.Content = append(to.Content, root.Content[i], root.Content[i+1])
	}
	return ours, engine
}

func scalar(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

func mapping(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key), value}}
}

func encode(node *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	if err := errors.Join(e.Encode(node), e.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

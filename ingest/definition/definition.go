// Package definition reads and checks the file of a pipeline.
package definition

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

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
	// Models are those of all classifiers, each once.
	Models []registry.Ref
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
	d, err := parse(text)
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

// parse reads a text that Check has accepted.
func parse(text []byte) (*Definition, error) {
	root, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	d := &Definition{Graph: graph.New(root)}
	ours, engine := split(root)
	encoded, err := encode(ours)
	if err != nil {
		return nil, err
	}
	if d.Delivery, err = components.ParseDelivery(string(encoded)); err != nil {
		return nil, err
	}
	if d.Models, err = models(engine); err != nil {
		return nil, err
	}
	d.Shared = isShared(get(engine, "input"))
	d.Groups = wrap(engine)
	if encoded, err = encode(engine); err != nil {
		return nil, err
	}
	d.Engine = string(encoded)
	return d, nil
}

// models returns the models of all classifiers.
func models(engine *yaml.Node) (all []registry.Ref, err error) {
	env := service.NewEnvironment()
	if err := components.Register(env, nil); err != nil {
		return nil, err
	}
	encoded, err := encode(engine)
	if err != nil {
		return nil, err
	}
	b := env.NewStreamBuilder()
	if err := b.SetYAML(string(encoded)); err != nil {
		return nil, err
	}
	err = b.WalkComponents(func(c *service.WalkedComponent) error {
		if c.Name != components.Classifier {
			return nil
		}
		refs, err := components.Models(c.ConfigYAML())
		for _, ref := range refs {
			if !slices.Contains(all, ref) {
				all = append(all, ref)
			}
		}
		return err
	})
	return all, err
}

// isShared reports whether an input divides its images among processes.
func isShared(input *yaml.Node) bool {
	broker := get(input, "broker")
	if broker == nil {
		return get(input, components.KafkaInput) != nil
	}
	inputs := get(broker, "inputs")
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

// wrap puts the delivery around the input, and what refuses failed images around each
// output, and groups the processors. The engine's own error_handling does not do that
// reliably: some processors and mappings switch it off.
func wrap(engine *yaml.Node) (groups []int) {
	for i := 0; i+1 < len(engine.Content); i += 2 {
		switch value := engine.Content[i+1]; engine.Content[i].Value {
		case "input":
			engine.Content[i+1] = mapping(components.DeliveryInput, mapping("input", value))
		case "output":
			refuseFailed(value)
		case "pipeline":
			setThreads(value)
			groups = group(get(value, "processors"))
		}
	}
	return groups
}

// group puts processors in a row into a try, up to each catch: an image for which one
// fails skips those after it. Otherwise they would process it, and fail themselves with
// an error that hides the first. It returns the index of the first processor of each
// group.
func group(processors *yaml.Node) (groups []int) {
	if processors == nil {
		return nil
	}
	var grouped []*yaml.Node
	var row *yaml.Node
	for i, p := range processors.Content {
		if get(p, "catch") != nil {
			row = nil
			grouped = append(grouped, p)
			groups = append(groups, i)
			continue
		}
		if row == nil {
			row = &yaml.Node{Kind: yaml.SequenceNode}
			grouped = append(grouped, mapping("try", row))
			groups = append(groups, i)
		}
		row.Content = append(row.Content, p)
	}
	processors.Content = grouped
	return groups
}

// threads is the number of images that are processed at a time, if the pipeline does
// not say: enough for one batch in the trunk and the next one.
const threads = "16"

func setThreads(pipeline *yaml.Node) {
	if get(pipeline, "threads") == nil {
		pipeline.Content = append(pipeline.Content, scalar("threads"), scalar(threads))
	}
}

// failFast makes a broker report a failure of an output. By default a broker that fans
// out tries that output again for ever, and holds back the image and those after it.
func failFast(broker *yaml.Node) {
	pattern := get(broker, "pattern")
	if pattern == nil {
		pattern = scalar("fan_out")
		broker.Content = append(broker.Content, scalar("pattern"), pattern)
	}
	if strings.HasPrefix(pattern.Value, "fan_out") && !strings.HasSuffix(pattern.Value, "_fail_fast") {
		pattern.SetString(pattern.Value + "_fail_fast")
	}
}

// get returns the value of a field, or nil.
func get(mapping *yaml.Node, field string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == field {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// outputsIn are the fields with the outputs of the allowed outputs that contain others;
// "" is the configuration itself.
var outputsIn = map[string]string{"broker": "outputs", "fallback": ""}

// refuseFailed wraps each output that contains no others in reject_errored, inside of
// its own processors.
func refuseFailed(output *yaml.Node) {
	for i := 0; i+1 < len(output.Content); i += 2 {
		key, value := output.Content[i], output.Content[i+1]
		field, contains := outputsIn[key.Value]
		switch {
		case contains && field == "":
			eachOutput(value)
		case contains:
			eachOutput(get(value, field))
			failFast(value)
		case slices.Contains(allowed("output"), key.Value):
			output.Content[i] = scalar("reject_errored")
			output.Content[i+1] = mapping(key.Value, value)
		}
	}
}

func eachOutput(outputs *yaml.Node) {
	if outputs == nil {
		return
	}
	for _, one := range outputs.Content {
		refuseFailed(one)
	}
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

package definition

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

	"tkit/ingest/components"
	"tkit/ingest/graph"
)

// A Finding is one mistake in a pipeline's file.
type Finding struct {
	Line    int    `json:"line"` // from 1
	Problem string `json:"problem"`
	// Suggestion is what was probably meant, or "".
	Suggestion string `json:"suggestion,omitempty"`
}

func (f Finding) String() string { return fmt.Sprintf("line %d: %s", f.Line, f.text()) }

func (f Finding) text() string {
	if f.Suggestion == "" {
		return f.Problem
	}
	return fmt.Sprintf("%s; did you mean %s?", f.Problem, f.Suggestion)
}

// Check returns the mistakes in a pipeline's file, by line.
func Check(text []byte) ([]Finding, error) {
	env := service.NewEnvironment()
	if err := components.Register(env, nil); err != nil {
		return nil, err
	}
	root, err := readDocument(text)
	if err != nil {
		return []Finding{unreadable(err)}, nil
	}
	if root == nil {
		return []Finding{{Line: 1, Problem: "the file has no pipeline: it needs the fields name, input, pipeline and output"}}, nil
	}
	findings := checkRoot(root)
	if len(findings) > 0 { // the engine would report follow-up errors
		return findings, nil
	}
	schema := components.Schema(env)
	// The engine skips all checks of a text that begins with a certain comment.
	lints, err := schema.NewStreamConfigLinter().LintYAML(append([]byte("\n"), text...))
	if err != nil {
		return []Finding{unreadable(err)}, nil
	}
	s := newSuggester(env, root)
	for _, l := range lints {
		l.Line = max(1, l.Line-1)
		findings = append(findings, s.finding(l))
	}
	if len(findings) == 0 {
		if findings, err = checkComponents(env, root); err != nil {
			return nil, err
		}
		findings = append(findings, checkDelivery(root)...)
		findings = append(findings, s.checkSecrets(root)...)
		findings = append(findings, checkOutputs(graph.Field(root, "output"))...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return findings, nil
}

var lineOfError = regexp.MustCompile(`line (\d+): `)

// unreadable returns the finding of a text that is no YAML.
func unreadable(err error) Finding {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if found := lineOfError.FindStringSubmatch(text); found != nil {
		if line, err := strconv.Atoi(found[1]); err == nil {
			return Finding{Line: line, Problem: "YAML: " + lineOfError.ReplaceAllString(text, "")}
		}
	}
	return Finding{Line: 1, Problem: "YAML: " + text}
}

// nameForm is the form of a pipeline's name, which is the name of a folder too.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// checkRoot checks the fields at the top.
func checkRoot(root *yaml.Node) (findings []Finding) {
	given := make(map[string]bool)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		given[key.Value] = true
		if !slices.Contains(rootFields, key.Value) {
			findings = append(findings, Finding{key.Line, fmt.Sprintf("a pipeline has no field %q", key.Value), nearest(key.Value, rootFields)})
		}
		if key.Value == "name" && !nameForm.MatchString(value.Value) {
			findings = append(findings, Finding{Line: key.Line, Problem: "the name must be of lower-case letters, digits, - and _, and begin with a letter or a digit"})
		}
	}
	for _, needed := range []string{"name", "input", "output"} {
		if !given[needed] && len(findings) == 0 {
			findings = append(findings, Finding{Line: root.Line, Problem: fmt.Sprintf("the field %s is missing", needed)})
		}
	}
	return findings
}

// checkComponents checks the components that a valid file names.
func checkComponents(env *service.Environment, root *yaml.Node) (findings []Finding, err error) {
	_, engine := split(root)
	stripped, err := encode(engine)
	if err != nil {
		return nil, err
	}
	b := env.NewStreamBuilder()
	if err := b.SetYAML(string(stripped)); err != nil {
		return []Finding{fromEngine(err)}, nil
	}
	walked := make(map[string]int) // components of a name so far
	err = b.WalkComponents(func(c *service.WalkedComponent) error {
		lines := linesOf(root, c.Name)
		line := lines[min(walked[c.Name], len(lines)-1)]
		walked[c.Name]++
		names := allowed(c.ComponentType)
		if len(names) > 0 && !slices.Contains(names, c.Name) {
			findings = append(findings, Finding{Line: line, Problem: fmt.Sprintf(
				"the %s %s is not available in pipelines of tkit; available are %s", c.ComponentType, c.Name, strings.Join(names, ", "))})
		}
		if err := components.CheckConfig(c.ComponentType, c.Name, c.ConfigYAML()); err != nil {
			findings = append(findings, Finding{Line: line, Problem: err.Error()})
		}
		return nil
	})
	return findings, err
}

// checkDelivery checks what the fields of tkit say.
func checkDelivery(root *yaml.Node) []Finding {
	if _, err := parseDelivery(root, ""); err != nil {
		return []Finding{{Line: linesOf(root, "delivery")[0], Problem: err.Error()}}
	}
	if delivery := graph.Field(root, "delivery"); delivery != nil {
		return secretsIn(delivery, deliverySecrets)
	}
	return nil
}

// deliverySecrets are the secret fields of tkit's part of a pipeline. The engine prints
// the specifications of its components only.
var deliverySecrets = fieldSpec{Children: []fieldSpec{{Name: "dead_letter_topic", Children: []fieldSpec{{Name: "password", Secret: true}}}}}

// fromEngine returns the finding of an error of the engine.
func fromEngine(err error) Finding {
	if l, ok := errors.AsType[service.Lint](err); ok {
		return Finding{Line: max(1, l.Line), Problem: l.What}
	}
	return Finding{Line: 1, Problem: err.Error()}
}

// checkOutputs finds settings of outputs that a pipeline does not keep: images that no
// case of a switch takes are not dropped, the delivery tries again, and a broker passes
// each image on once and alone.
func checkOutputs(output *yaml.Node) (findings []Finding) {
	if output == nil {
		return nil
	}
	if b := graph.Field(output, "broker"); b != nil && output.Kind == yaml.MappingNode {
		for _, field := range []string{"copies", "batching"} {
			if f := graph.Field(b, field); f != nil {
				findings = append(findings, Finding{Line: f.Line, Problem: "a broker has no " + field + " in pipelines of tkit: each image goes to each output once and alone"})
			}
		}
	}
	if s := graph.Field(output, switchOutput); s != nil && output.Kind == yaml.MappingNode {
		if f := graph.Field(s, "strict_mode"); f != nil && f.Value == "false" {
			findings = append(findings, Finding{Line: f.Line, Problem: "strict_mode: false would lose the images that no case takes; add a last case without a check, with the output drop to leave them out"})
		}
		if f := graph.Field(s, "retry_until_success"); f != nil && f.Value == "true" {
			findings = append(findings, Finding{Line: f.Line, Problem: "retry_until_success: true would hold back the images after one that fails; delivery.attempts says how often an image is tried"})
		}
	}
	for _, child := range output.Content {
		findings = append(findings, checkOutputs(child)...)
	}
	return findings
}

package definition

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"tkit/ingest/graph"
)

// readDocument reads a text as YAML, without aliases and merge keys: each is replaced
// by what it stands for, so that the checks see everything that the engine sees. The
// node is nil if the text has no mapping at the top.
func readDocument(text []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, nil
	}
	root := document.Content[0]
	// Decoding refuses aliases that contain themselves or multiply without measure.
	var plain any
	if err := root.Decode(&plain); err != nil {
		return nil, err
	}
	return expand(root), nil
}

// mergeTag is the tag of the key <<.
const mergeTag = "!!merge"

// expand returns a copy of a node without aliases and merge keys.
func expand(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias)
	}
	out := *n
	out.Anchor, out.Content = "", nil
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && (child.ShortTag() == mergeTag && i%2 == 0 || i%2 == 1 && n.Content[i-1].ShortTag() == mergeTag) {
			continue
		}
		out.Content = append(out.Content, expand(child))
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() == mergeTag {
			merge(&out, expand(n.Content[i+1]))
		}
	}
	return &out
}

// merge adds the fields of a mapping, or of a list of mappings, that a mapping does not
// have.
func merge(into, from *yaml.Node) {
	if from.Kind == yaml.SequenceNode {
		for _, one := range from.Content {
			merge(into, one)
		}
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		if graph.Field(into, from.Content[i].Value) == nil {
			into.Content = append(into.Content, from.Content[i], from.Content[i+1])
		}
	}
}

// reference is ${NAME} or ${NAME:DEFAULT}, as the engine reads them.
var reference = regexp.MustCompile(`\$\{([0-9A-Za-z_.]+)(:[^}]*)?\}`)

// setVariables replaces references to environment variables in the values below a node,
// as the engine does in its own part of the file.
func setVariables(n *yaml.Node) error {
	for _, child := range n.Content {
		if err := setVariables(child); err != nil {
			return err
		}
	}
	if n.Kind != yaml.ScalarNode || !reference.MatchString(n.Value) {
		return nil
	}
	var missing error
	n.Value = reference.ReplaceAllStringFunc(n.Value, func(text string) string {
		parts := reference.FindStringSubmatch(text)
		if value, set := os.LookupEnv(parts[1]); set {
			return value
		}
		if parts[2] == "" {
			missing = fmt.Errorf("the environment variable %s is not set", parts[1])
		}
		return strings.TrimPrefix(parts[2], ":")
	})
	if n.Style == 0 {
		n.Tag = "" // a number, if it is one now
	}
	return missing
}

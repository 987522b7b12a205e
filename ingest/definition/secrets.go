package definition

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"
)

// A fieldSpec is the specification of a field as the engine prints it.
type fieldSpec struct {
	Name     string      `json:"name"`
	Secret   bool        `json:"is_secret"`
	Children []fieldSpec `json:"children"`
}

// specOf returns the fields of a component.
func specOf(view *service.ConfigView) (fieldSpec, error) {
	var component struct {
		Config fieldSpec `json:"config"`
	}
	encoded, err := view.FormatJSON()
	if err == nil {
		err = json.Unmarshal(encoded, &component)
	}
	return component.Config, err
}

// variable is a reference to an environment variable. One with a value after a colon, for
// when it is not set, has that in clear text.
var variable = regexp.MustCompile(`\$\{[^}:]+\}`)

// password is a URL with a user and a password.
var password = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)

// secretHeaders are the headers of requests that authenticate, in lower case.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie"}

// secretEndings are the ends of the names of other such headers, as of X-Auth-Token.
var secretEndings = []string{"-key", "-token", "-secret", "-password"}

func isSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(secretHeaders, name) || slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(name, end) })
}

// checkSecrets finds secrets that a file has in clear text: values of fields that are
// secret, headers that authenticate, and passwords in URLs. A file is copied and
// committed; its secrets belong into the environment.
func (s suggester) checkSecrets(node *yaml.Node) (findings []Finding) {
	switch node.Kind {
	case yaml.ScalarNode:
		if password.MatchString(variable.ReplaceAllString(node.Value, "")) {
			findings = append(findings, inClear(node, "a URL"))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			for _, view := range s.components[key.Value] {
				spec, err := specOf(view)
				if err != nil {
					continue // it is the engine's, which prints its own specifications
				}
				for _, f := range secretsIn(value, spec) {
					if !slices.Contains(findings, f) {
						findings = append(findings, f)
					}
				}
			}
			if isSecretHeader(key.Value) && isClear(value) {
				findings = append(findings, inClear(value, "the header "+key.Value))
			}
			findings = append(findings, s.checkSecrets(value)...)
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			findings = append(findings, s.checkSecrets(item)...)
		}
	}
	return findings
}

// secretsIn finds the secret fields of a component that are in clear text.
func secretsIn(node *yaml.Node, spec fieldSpec) (findings []Finding) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.ScalarNode:
		if spec.Secret && isClear(node) {
			findings = append(findings, inClear(node, "the field "+spec.Name))
		}
	case yaml.SequenceNode: // a list of objects with the same fields
		for _, item := range node.Content {
			findings = append(findings, secretsIn(item, spec)...)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			for _, child := range spec.Children {
				if child.Name == node.Content[i].Value {
					findings = append(findings, secretsIn(node.Content[i+1], child)...)
				}
			}
		}
	}
	return findings
}

// isClear reports whether a value has text that does not come from the environment.
func isClear(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Value != "" && !variable.MatchString(node.Value)
}

func inClear(node *yaml.Node, what string) Finding {
	return Finding{Line: node.Line, Problem: fmt.Sprintf("%s has a secret in clear text: use ${NAME}, and set the environment variable NAME", what)}
}

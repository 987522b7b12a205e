package components

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/warpstreamlabs/bento/public/service"
)

// The document describes every component and field in the words of its specification.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	env := service.NewEnvironment()
	if err := Register(env, nil); err != nil {
		t.Fatal(err)
	}
	check := func(kind string, walk func(func(string, *service.ConfigView))) {
		walk(func(name string, v *service.ConfigView) {
			if _, ours := own[kind][name]; !ours {
				return
			}
			if section := sectionOf(t, kind, name, v); !strings.Contains(string(text), section) {
				t.Errorf("docs/ingest.md does not have this section:\n\n%s", section)
			}
		})
	}
	check("input", env.WalkInputs)
	check("processor", env.WalkProcessors)
	check("output", env.WalkOutputs)
	pipeline := service.NewConfigSpec().Fields(pipelineFields()...)
	own := service.NewEmptyEnvironment()
	if err := own.RegisterProcessor("pipeline", pipeline, nil); err != nil {
		t.Fatal(err)
	}
	own.WalkProcessors(func(_ string, v *service.ConfigView) {
		if table := tableOf(t, v); !strings.Contains(string(text), table) {
			t.Errorf("docs/ingest.md does not have this table:\n\n%s", table)
		}
	})
}

type fieldSpec struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Default     any         `json:"default"`
	Children    []fieldSpec `json:"children"`
	Options     [][2]string `json:"annotated_options"`
	Choices     []string    `json:"options"`
}

// sectionOf returns the section of a component. An input and an output of one name have
// their own.
func sectionOf(t *testing.T, kind, name string, v *service.ConfigView) string {
	t.Helper()
	_, input := own["input"][name]
	if _, output := own["output"][name]; input && output {
		name += ", as an " + kind
	}
	return fmt.Sprintf("### %s\n\n%s\n\n%s\n\n%s", name, v.Summary(), v.Description(), tableOf(t, v))
}

func tableOf(t *testing.T, v *service.ConfigView) string {
	t.Helper()
	var component struct {
		Config fieldSpec `json:"config"`
	}
	encoded, err := v.FormatJSON()
	if err == nil {
		err = json.Unmarshal(encoded, &component)
	}
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{"| field | default | |", "|---|---|---|"}
	return strings.Join(append(rows, rowsOf(component.Config.Children, "")...), "\n")
}

func rowsOf(fields []fieldSpec, prefix string) (rows []string) {
	for _, f := range fields {
		def := ""
		if f.Default != nil && f.Default != "" {
			def = fmt.Sprintf("`%v`", f.Default)
			if n, is := f.Default.(float64); is {
				def = fmt.Sprintf("`%.0f`", n)
			}
		}
		description := f.Description
		for i, o := range f.Choices {
			if i == 0 {
				description += " One of"
			}
			description += " `" + o + "`"
		}
		if len(f.Children) > 0 {
			rows = append(rows, rowsOf(f.Children, prefix+f.Name+".")...)
			continue
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", prefix+f.Name, def, description))
	}
	return rows
}

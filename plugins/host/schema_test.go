package host_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tkit/internal/fuzztest"
	"tkit/plugins"
	"tkit/plugins/host"
)

// doubling returns a schema whose definitions use the next one twice, through a
// keyword: n of them take 2ⁿ checks.
func doubling(n int, keyword string) string {
	var b strings.Builder
	b.WriteString(`"$defs": {`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d": {%s: [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%[3]d"}]},`, i, keyword, i+1)
	}
	fmt.Fprintf(&b, `"d%d": {"type": "object"}}`, n)
	return b.String()
}

// A schema that takes endless time or much memory to check is refused.
func TestSchemasAreBounded(t *testing.T) {
	for name, c := range map[string]struct{ schema, words string }{
		"doubling":         {`{"$ref": "#/$defs/d0", ` + doubling(32, `"allOf"`) + `}`, "the allowed 1e+06"},
		"alternatives":     {`{"$ref": "#/$defs/d0", ` + doubling(60, `"anyOf"`) + `}`, "the allowed 1e+06"},
		"deep in it":       {`{"properties": {"a": {"items": {"$ref": "#/$defs/d0"}}}, ` + doubling(32, `"oneOf"`) + `}`, "the allowed 1e+06"},
		"a loop":           {`{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}`, "endlessly"},
		"patterns":         {`{"patternProperties": {"` + strings.Repeat("(a?){1000}", 400) + `": {}}}`, "pattern"},
		"a pattern":        {`{"properties": {"a": {"pattern": "((a{30}){30}){30}"}}}`, "pattern"},
		"another pattern":  {`{"properties": {"a": {"pattern": "(a{30}){30}(b{30}){30}(c{30}){30}"}}}`, "repeats too much"},
		"a large one":      {`{"description": "` + strings.Repeat("x", 1<<17) + `"}`, "the allowed 65536"},
		"a deep one":       {strings.Repeat(`{"not":`, 40) + `true` + strings.Repeat(`}`, 40), "nested more than 32 levels"},
		"a very deep one":  {strings.Repeat(`{"not":`, 20_000) + `true` + strings.Repeat(`}`, 20_000), "the allowed 65536"},
		"a huge number":    {`{"minimum": 1e999999999}`, "out of range"},
		"a tiny number":    {`{"multipleOf": 1e-999999999}`, "out of range"},
		"from elsewhere":   {`{"$ref": "https://example.org/schema.json"}`, "example.org"},
		"from a file":      {`{"$ref": "file:///etc/passwd"}`, "file"},
		"a dialect":        {`{"$schema": "https://example.org/dialect"}`, "$schema"},
		"a dynamic one":    {`{"$dynamicRef": "#a", "$defs": {"a": {"$dynamicAnchor": "a"}}}`, "$dynamicRef"},
		"no schema at all": {`{"type": "number of things"}`, "schema"},
		"no JSON":          {`{`, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			err := host.CheckSchema(json.RawMessage(c.schema))
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("error %v, want one that says %q", err, c.words)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("the error is of %d bytes", len(err.Error()))
			}
		})
	}
}

// So is a configuration that takes a schema that long, and no other.
func TestConfigurationsAreBounded(t *testing.T) {
	tree := `{"$ref": "#/$defs/node", "$defs": {"node": {"type": ["object", "number"], "additionalProperties": {"$ref": "#/$defs/node"}}}}`
	twice := `{"$ref": "#/$defs/node", "$defs": {"node": {"anyOf": [
		{"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["b"]},
		{"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["c"]}]}}}`
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "{}" + strings.Repeat(`}`, n) }
	table := `{"table": [` + strings.Repeat("0.25, ", 4095) + `1]}`
	tables := `{"type": "object", "additionalProperties": false, "properties": {"table": {"type": "array", "maxItems": 4096, "items": {"type": "number", "minimum": 0, "maximum": 1}},
		"mode": {"enum": ["a", "b"]}, "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"}}}`
	for name, c := range map[string]struct{ schema, config, words string }{
		"a tree":             {tree, deep(30), ""},
		"a table":            {tables, table, ""},
		"a name":             {tables, `{"name": "left-eye"}`, ""},
		"no name":            {tables, `{"name": "Left Eye"}`, "does not match its schema"},
		"no tables":          {tables, `{"table": [2]}`, "does not match its schema"},
		"twice at each step": {twice, deep(30), "the allowed 1e+06"},
		"a deep one":         {tree, deep(40), "nested more than 32 levels"},
		"a large one":        {tables, `{"name": "` + strings.Repeat("x", 1<<17) + `"}`, "the allowed 65536"},
		"a huge number":      {tables, `{"table": [1e999999999]}`, "out of range"},
		"a tiny number":      {tables, `{"table": [1e-999999999]}`, "out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			err := host.CheckConfig(plugins.Description{ConfigSchema: json.RawMessage(c.schema)}, json.RawMessage(c.config))
			if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
				t.Fatalf("error %v, want %q", err, c.words)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("the error is of %d bytes", len(err.Error()))
			}
		})
	}
}

// checking bounds the cost of a million checks.
var checking = fuzztest.Limit{Bytes: 256 << 20, PerByte: 4 << 10, Time: 20 * time.Second}

// FuzzCheckConfig looks for schemas and configurations that take long.
func FuzzCheckConfig(f *testing.F) {
	f.Add([]byte(`{"$ref": "#/$defs/d0", `+doubling(8, `"anyOf"`)+`}`), []byte(`{"a": [1, "b"]}`))
	f.Add([]byte(`{"type": "object", "properties": {"a": {"pattern": "^(a|b)*$"}}}`), []byte(`{"a": "abab"}`))
	f.Add([]byte(`{"items": {"enum": [1, [2]]}, "not": {"uniqueItems": true}}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, schema, config []byte) {
		defer checking.Watch(t, len(schema)+len(config))()
		if err := host.CheckConfig(plugins.Description{ConfigSchema: schema}, config); err != nil && len(err.Error()) > 2000 {
			t.Errorf("the error is of %d bytes", len(err.Error()))
		}
	})
}

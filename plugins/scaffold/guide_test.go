package scaffold_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tkit/internal/needs"
	"tkit/internal/preprocessing"
	"tkit/plugins/python/pythontest"
	"tkit/plugins/scaffold"
)

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// snippets returns the guide's code blocks in a language.
func snippets(t *testing.T, language string) []string {
	t.Helper()
	var all []string
	for _, block := range strings.Split(guide(t), "\n```"+language+"\n")[1:] {
		code, _, closed := strings.Cut(block, "\n```\n")
		if !closed {
			t.Fatalf("a block in %s does not end", language)
		}
		all = append(all, code+"\n")
	}
	if len(all) == 0 {
		t.Fatalf("the guide has nothing in %s", language)
	}
	return all
}

// place writes the snippets into a project, each into the file named in the
// comment on its first line.
func place(t *testing.T, folder, language, sign string) {
	t.Helper()
	for _, code := range snippets(t, language) {
		first, rest, _ := strings.Cut(code, "\n")
		name, named := strings.CutPrefix(first, sign+" ")
		if !named {
			t.Fatalf("a block in %s does not name its file: %s", language, first)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(rest), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The guide's Go code is a plugin that passes its tests.
func TestGuideInGo(t *testing.T) {
	needs.Minutes(t)
	folder := filepath.Join(t.TempDir(), "unvignette")
	if err := scaffold.Go(folder); err != nil {
		t.Fatal(err)
	}
	place(t, folder, "go", "//")
	if out := run(t, folder, "gofmt", "-l", "."); out != "" {
		t.Errorf("gofmt would change %s", out)
	}
	run(t, folder, "go", "vet", "-trimpath", "./...")
	run(t, folder, "go", "test", "-trimpath", "./...")
}

// The guide's Python code passes the type checks and the project's tests.
func TestGuideInPython(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "brighten")
	if err := scaffold.Python(folder); err != nil {
		t.Fatal(err)
	}
	place(t, folder, "python", "#")
	pythontest.Run(t, folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
	pythontest.Run(t, folder, "-m", "mypy", "--cache-dir", t.TempDir())
}

func TestGuidePipeline(t *testing.T) {
	for _, text := range snippets(t, "yaml") {
		var p preprocessing.Preprocessing
		if err := yaml.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
	}
}

// Every test in the guide's table exists.
func TestGuideFaults(t *testing.T) {
	folders := map[string]string{"host": "../host", "store": "../store", "server": "../../serve/server", "tkit": "../../cmd/tkit"}
	code := map[string]string{}
	for room, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code[room] += string(text)
		}
	}
	_, table, _ := strings.Cut(guide(t), "|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	test := regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z]+)(?:/([a-z]+))?`")
	lines := 0
	for line := range strings.Lines(table) {
		lines++
		named := test.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test for %s", line)
		}
		for _, n := range named {
			_, after, found := strings.Cut(code[n[1]], "\nfunc "+n[2]+"(t *testing.T)")
			body, _, _ := strings.Cut(after, "\n}\n")
			if !found || n[3] != "" && !strings.Contains(body, `"`+n[3]+`"`) {
				t.Errorf("there is no %s", n[0])
			}
		}
	}
	if lines < 12 {
		t.Errorf("the table has %d lines", lines)
	}
}

// Package tkit_test checks the rules of the whole project.
package tkit_test

import (
	"encoding/json"
	"errors"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the top-level packages, from the top down. A package may import
// only those of lower layers; ARCHITECTURE.md shows the layers as a diagram.
// Packages below a top-level package belong to it.
var layers = [][]string{
	{"cmd", "bench", "scripts"},
	{"train", "serve", "ingest", "doctor"},
	{"catalog", "inference"},
	{"datasets", "architectures", "plugins", "registry", "access"},
	{"internal"},
}

// internalLayers are the layers of internal, with the same rule.
var internalLayers = [][]string{
	{"pipeline", "signatures"},
	{"bases", "commandline", "home", "independence", "postgrestest", "raster", "savedmodel"},
	{"evaluation", "hdfs", "network", "page", "postgres", "preprocessing", "present", "weightfile"},
	{"bottlenecks", "cuda", "db", "disjoint", "durable", "fuzztest", "guard", "inputfile", "logtest", "needs", "printable", "spelling", "tensorflow", "testserver", "timespan", "ttytest", "workfolder"},
}

// commandImports are the packages of internal that the command line may import:
// those for presentation. All other work is in packages for all callers.
var commandImports = []string{"internal/commandline", "internal/page", "internal/present", "internal/printable"}

// graftUsers may use graft's TensorFlow API; graft frees tensors only in
// finalizers, so all other packages use internal/tensorflow.
var graftUsers = []string{"internal/tensorflow", "internal/savedmodel", "architectures/builder", "train"}

// engineUsers may use Bento, the engine of pipelines, which takes long to compile and
// to link.
var engineUsers = []string{"ingest"}

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, "tkit/")
		for _, imported := range p.Imports {
			if reason := forbidden(from, imported); reason != "" {
				t.Errorf("%s imports %s: %s", from, imported, reason)
			}
		}
		for _, imported := range append(p.Imports, append(p.TestImports, p.XTestImports...)...) {
			if strings.HasPrefix(imported, "github.com/wamuir/graft/tensorflow") &&
				!strings.HasSuffix(imported, "_proto") && !under(from, graftUsers) {
				t.Errorf("%s imports %s: only %s may", from, imported, strings.Join(graftUsers, ", "))
			}
			if strings.HasPrefix(imported, "github.com/warpstreamlabs/bento/") && !under(from, engineUsers) {
				t.Errorf("%s imports %s: only %s may", from, imported, strings.Join(engineUsers, ", "))
			}
		}
	}
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		allowed        bool
	}{
		{"cmd/tkit", "tkit/train", true},
		{"cmd/tkit", "tkit/internal/present", true},
		{"cmd/tkit", "tkit/internal/network", false},
		{"train", "tkit/datasets", true},
		{"train", "tkit/serve", false},
		{"ingest", "tkit/serve", false},
		{"ingest/classify", "tkit/catalog", true},
		{"registry", "tkit/datasets", false},
		{"datasets/local", "tkit/datasets", true},
		{"internal/network", "tkit/internal/tensorflow", true},
		{"internal/network", "tkit/internal/pipeline", false},
		{"internal/raster", "tkit/internal/savedmodel", false},
		{"internal/savedmodel", "tkit/internal/savedmodel/bundle", true},
		{"internal/unlisted", "tkit/internal/tensorflow", false},
		{"internal/tensorflow", "tkit/internal/unlisted", false},
		{"inference", "tkit/registry", true},
		{"inference", "tkit/serve", false},
		{"registry", "tkit/inference", false},
		{"unlisted", "tkit/registry", false},
		{"internal/tensorflow", "tkit/registry", false},
		{"serve", "tkit/cmd/tkit", false},
		{"serve", "fmt", true},
	} {
		if got := forbidden(c.from, c.imported) == ""; got != c.allowed {
			t.Errorf("forbidden(%s, %s): allowed is %t, want %t", c.from, c.imported, got, c.allowed)
		}
	}
}

// maxCommandLines is the maximum number of lines of code in cmd/tkit, tests aside:
// commands read flags, call one function and print. Comments and the further lines of
// texts do not count, so that help may be long.
const maxCommandLines = 2400

func TestCommandLineIsThin(t *testing.T) {
	files, err := filepath.Glob("cmd/tkit/*.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			lines += codeLines(t, file)
		}
	}
	if lines == 0 || lines > maxCommandLines {
		t.Errorf("cmd/tkit has %d lines of code, want at most %d: move what is no flag or output to a package below", lines, maxCommandLines)
	}
}

// codeLines returns the number of lines on which a token begins.
func codeLines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	file := set.AddFile(path, -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines := make(map[int]bool)
	for {
		pos, kind, _ := s.Scan()
		if kind == token.EOF {
			return len(lines)
		}
		lines[file.Line(pos)] = true
	}
}

// ARCHITECTURE.md lists every package exactly once, and no other. A folder that is no
// package stands for the packages below it. Suites of tests need not be listed.
func TestArchitectureListsPackages(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## Packages\n\n```\n")
	block, _, found := strings.Cut(after, "\n```\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no list of packages")
	}
	named := make(map[string]int)
	for _, path := range listedPaths(block) {
		named[path]++
	}
	for path, n := range named {
		if info, err := os.Stat(path); err != nil || !info.IsDir() || n > 1 {
			t.Errorf("%s is listed %d times, %v", path, n, err)
		}
	}
	all := packages(t)
	isPackage := make(map[string]bool)
	for _, p := range all {
		isPackage[strings.TrimPrefix(p.ImportPath, "tkit/")] = true
	}
	for path := range isPackage {
		listed := named[path] > 0 || strings.HasSuffix(path, "test")
		for folder := filepath.Dir(path); folder != "."; folder = filepath.Dir(folder) {
			listed = listed || named[folder] > 0 && !isPackage[folder]
		}
		if !listed {
			t.Errorf("%s is not listed", path)
		}
	}
}

// listedPaths returns the paths of a list of packages. A line begins with names, which
// end at two spaces. Indented names are below the last one without an indent. Other
// lines continue a description.
func listedPaths(list string) []string {
	var paths []string
	above := ""
	for line := range strings.SplitSeq(list, "\n") {
		names := strings.TrimPrefix(line, "  ")
		if names == "" || strings.HasPrefix(names, " ") {
			continue
		}
		indented := names != line
		names, _, _ = strings.Cut(names, "  ")
		for _, name := range strings.Fields(names) {
			if indented {
				paths = append(paths, above+"/"+name)
			} else {
				paths = append(paths, name)
			}
		}
		if !indented {
			above = strings.Fields(names)[0]
		}
	}
	return paths
}

// forbidden returns why a package of the project may not import another, or "".
func forbidden(from, imported string) string {
	to, ours := strings.CutPrefix(imported, "tkit/")
	if !ours {
		return ""
	}
	a, insideA := strings.CutPrefix(from, "internal/")
	b, insideB := strings.CutPrefix(to, "internal/")
	if insideB && first(from) == "cmd" && !under(to, commandImports) {
		return "the command line imports of internal only " + strings.Join(commandImports, ", ")
	}
	if insideA && insideB {
		return misplaced(internalLayers, a, b)
	}
	return misplaced(layers, from, to)
}

// misplaced returns why the order of layers forbids an import, or "".
func misplaced(layers [][]string, from, to string) string {
	from, to = first(from), first(to)
	a, b := layerOf(layers, from), layerOf(layers, to)
	switch {
	case a < 0:
		return from + " is in no layer"
	case b < 0:
		return to + " is in no layer"
	case b < a:
		return to + " is in a higher layer than " + from
	case b == a && to != from:
		return to + " is in the same layer as " + from
	}
	return ""
}

func layerOf(layers [][]string, name string) int {
	return slices.IndexFunc(layers, func(layer []string) bool { return slices.Contains(layer, name) })
}

// first returns the first element of a path.
func first(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

func under(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if p.ImportPath != "tkit" {
			all = append(all, p)
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages; the rules were not checked", len(all))
	}
	return all
}

// Package tkit_test states the rules that hold for the project as a whole.
package tkit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// The rooms, from the top of the house down. A room may import the rooms below
// it, never one beside it; ARCHITECTURE.md shows the same as a picture.
var storeys = [][]string{
	{"cmd", "bench", "scripts"},
	{"train", "serve", "ingest"},
	{"catalog", "inference"},
	{"datasets", "architectures", "plugins", "registry", "access"},
	{"internal"},
}

// graftUsers may name graft's TensorFlow API; graft frees tensors only in
// finalizers, so everything else goes through internal/tensorflow.
var graftUsers = []string{"internal/tensorflow", "internal/savedmodel", "architectures/builder", "train"}

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
		}
	}
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		allowed        bool
	}{
		{"cmd/tkit", "tkit/train", true},
		{"train", "tkit/datasets", true},
		{"train", "tkit/serve", false},
		{"registry", "tkit/datasets", false},
		{"datasets/local", "tkit/datasets", true},
		{"internal/network", "tkit/internal/tensorflow", true},
		{"internal/network", "tkit/internal/inference", false},
		{"internal/tensorflow", "tkit/registry", false},
		{"serve", "tkit/cmd/tkit", false},
		{"serve", "fmt", true},
	} {
		if got := forbidden(c.from, c.imported) == ""; got != c.allowed {
			t.Errorf("forbidden(%s, %s): allowed is %t, want %t", c.from, c.imported, got, c.allowed)
		}
	}
}

// forbidden says why a package of the project may not import another, or "".
func forbidden(from, imported string) string {
	to, ours := strings.CutPrefix(imported, "tkit/")
	if !ours {
		return ""
	}
	if to == "internal/inference" && strings.HasPrefix(from, "internal/") && !strings.HasPrefix(from, "internal/inference") {
		return "internal/inference stands above the other internals"
	}
	a, b := storey(from), storey(to)
	switch {
	case a < 0:
		return "no storey of the house holds " + room(from)
	case b < 0:
		return "no storey of the house holds " + room(to)
	case b < a:
		return room(to) + " stands above " + room(from)
	case b == a && room(to) != room(from):
		return room(to) + " stands beside " + room(from)
	}
	return ""
}

func storey(path string) int {
	for i, rooms := range storeys {
		for _, r := range rooms {
			if room(path) == r {
				return i
			}
		}
	}
	return -1
}

func room(path string) string {
	r, _, _ := strings.Cut(path, "/")
	return r
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

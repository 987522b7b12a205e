package tkit_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits of functions outside tests: the lines of one, the number of functions that
// may have more, and the parameters of an exported one.
const (
	maxLines      = 60
	mayBeLonger   = 5
	maxParameters = 5
)

func TestFunctionsAreShort(t *testing.T) {
	var long []string
	functions(t, func(f *ast.FuncDecl, where string, lines int) {
		if lines > maxLines {
			long = append(long, fmt.Sprintf("%s: %s has %d lines", where, f.Name.Name, lines))
		}
		if n := f.Type.Params.NumFields(); f.Name.IsExported() && n > maxParameters {
			t.Errorf("%s: %s takes %d parameters; at most %d: use a struct", where, f.Name.Name, n, maxParameters)
		}
	})
	if len(long) > mayBeLonger {
		slices.Sort(long)
		t.Errorf("%d functions have more than %d lines; at most %d may:\n%s", len(long), maxLines, mayBeLonger, strings.Join(long, "\n"))
	}
}

// functions calls see for every function that is neither generated nor in a test
// file.
func functions(t *testing.T, see func(f *ast.FuncDecl, where string, lines int)) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || ast.IsGenerated(file) {
			return err
		}
		for _, d := range file.Decls {
			if f, is := d.(*ast.FuncDecl); is {
				begin, end := positions.Position(f.Pos()), positions.Position(f.End())
				see(f, fmt.Sprintf("%s:%d", path, begin.Line), end.Line-begin.Line+1)
				seen++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 1000 {
		t.Fatalf("found %d functions; the limits were not checked", seen)
	}
}

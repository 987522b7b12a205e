package tkit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestFuzzTargetsAreBounded checks that every fuzz target limits the time and memory
// of an input.
func TestFuzzTargetsAreBounded(t *testing.T) {
	targets := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || selected(call.Fun) != "Fuzz" || len(call.Args) != 1 {
					return true
				}
				targets++
				if !watches(call.Args[0]) {
					t.Errorf("%s: a fuzz target does not begin with: defer fuzztest.Watch(t, size)()", path)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if targets == 0 {
		t.Error("there are no fuzz targets")
	}
}

// watches reports whether a function begins by deferring the function that Watch
// returns.
func watches(f ast.Expr) bool {
	literal, ok := f.(*ast.FuncLit)
	if !ok || len(literal.Body.List) == 0 {
		return false
	}
	first, ok := literal.Body.List[0].(*ast.DeferStmt)
	if !ok {
		return false
	}
	watch, ok := first.Call.Fun.(*ast.CallExpr)
	return ok && selected(watch.Fun) == "Watch"
}

// selected returns the name after the dot, such as Fuzz in f.Fuzz.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

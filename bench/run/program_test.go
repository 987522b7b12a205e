package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The rows of a failing program are kept, and other lines are passed on.
func TestRowsOfAFailingProgram(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "program")
	script := "#!/bin/sh\necho \"{\\\"what\\\":\\\"a $1 $BENCH_JSON\\\",\\\"ratio\\\":2}\"\nexit 3\n"
	if err := os.WriteFile(binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	rows, err := program{root: t.TempDir(), name: "program", flags: []string{"-quick"}}.rows(t.Context(), binary)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error is %v, want exit status 3", err)
	}
	if len(rows) != 1 || rows[0].What != "a -quick 1" || rows[0].Ratio != 2 {
		t.Errorf("rows are %+v", rows)
	}
}

func TestReadRows(t *testing.T) {
	var others bytes.Buffer
	rows, err := readRows(strings.NewReader("a curve\n{\"what\":\"a\"}\n{\"other\":1}\n\n{\"what\":\"b\"}"), &others)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].What != "a" || rows[1].What != "b" {
		t.Errorf("rows are %+v", rows)
	}
	if got := others.String(); got != "a curve\n{\"other\":1}\n\n" {
		t.Errorf("passed on %q", got)
	}
}

// Every program can be run and describes its method.
func TestPrograms(t *testing.T) {
	for _, name := range programs {
		if text, err := method("../..", name); err != nil || text == "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

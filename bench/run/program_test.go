package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/bench/measure"
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

// A record of some programs leaves those of the others as they are.
func TestRecord(t *testing.T) {
	root := t.TempDir()
	for _, name := range programs {
		folder := filepath.Join(root, "bench", name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte("// How "+name+" measures.\npackage main\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(value float64, failure string) result {
		return result{Rows: []measure.Row{{What: "a|b", Measured: value, Ratio: 1}}, Machine: "a machine", Failure: failure}
	}
	recorded := func(ran map[string]result) string {
		if err := record(root, ran); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(root, "bench", "RESULTS.md"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first, last := programs[0], programs[len(programs)-1]
	before := sections(recorded(map[string]result{first: run(7, ""), last: run(8, "")}))
	after := sections(recorded(map[string]result{last: run(9, "exit status 3")}))
	if len(before) != len(programs) || len(after) != len(programs) {
		t.Errorf("%d and then %d sections of %d programs", len(before), len(after), len(programs))
	}
	for _, name := range programs {
		if name != last && after[name] != before[name] {
			t.Errorf("the section of %s became %q, was %q", name, after[name], before[name])
		}
	}
	for _, want := range []string{"How " + last + " measures.", `| a\|b |  | 9 |`, "Machine: a machine.", "**It failed: exit status 3.**"} {
		if !strings.Contains(after[last], want) {
			t.Errorf("the section of %s is %q, want %q in it", last, after[last], want)
		}
	}
	if again := recorded(nil); again != recorded(nil) || sections(again)[first] != before[first] {
		t.Error("a record of nothing changes the file")
	}
}

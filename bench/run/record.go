package main

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tkit/bench/measure"
)

const introduction = "# Results\n\n" +
	"Written by `scripts/bench --record`, which replaces the sections of the programs that it runs; do not edit. Both sides of\n" +
	"a row were measured in one run of one program, so that the ratio is more reliable than the figures.\n"

// record writes the results of the programs that ran into bench/RESULTS.md. The
// sections of the other programs stay as they are.
func record(root string, ran map[string]result) error {
	path := filepath.Join(root, "bench", "RESULTS.md")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	recorded := sections(string(old))
	for name, r := range ran {
		text, err := method(root, name)
		if err != nil {
			return err
		}
		recorded[name] = text + "\n\n" + r.section()
	}
	text := new(strings.Builder)
	text.WriteString(introduction)
	for _, name := range programs {
		body := recorded[name]
		if body == "" {
			body = "Not yet run.\n"
		}
		fmt.Fprintf(text, "\n## %s\n\n%s", name, body)
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// sections returns what is below each heading of the second level, by heading.
func sections(text string) map[string]string {
	all := make(map[string]string)
	for _, part := range strings.Split("\n"+text, "\n## ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		all[name] = strings.Trim(body, "\n") + "\n"
	}
	return all
}

// section returns the table of the rows, and the circumstances of the run.
func (r result) section() string {
	text := new(strings.Builder)
	if len(r.Rows) > 0 {
		text.WriteString("| " + strings.Join(measure.Columns[:], " | ") + " |\n" + strings.Repeat("|---", len(measure.Columns)) + "|\n")
	}
	for _, row := range r.Rows {
		c := row.Cells()
		for i := range c {
			c[i] = strings.ReplaceAll(c[i], "|", `\|`)
		}
		fmt.Fprintf(text, "| %s |\n", strings.Join(c[:], " | "))
	}
	if len(r.Rows) > 0 {
		text.WriteString("\n")
	}
	fmt.Fprintf(text, "Run on %s at commit %s for %v; other work used %.0f %% of the processors before it.\nMachine: %s.\nSoftware: %s.\n",
		r.Begun.Format("2 January 2006"), r.Code, r.Took.Round(time.Second), 100*r.Busy, r.Machine, r.Software)
	if r.Failure != "" {
		fmt.Fprintf(text, "\n**It failed: %s.**\n", r.Failure)
	}
	return text.String()
}

// method returns the description in a program's package comment.
func method(root, name string) (string, error) {
	path := filepath.Join(root, "bench", name, "main.go")
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return "", err
	}
	if f.Doc == nil {
		return "", fmt.Errorf("%s has no package comment that describes its method", path)
	}
	var kept []string
	for _, paragraph := range strings.Split(strings.TrimSpace(f.Doc.Text()), "\n\n") {
		if !strings.HasPrefix(paragraph, "\t") { // the command
			kept = append(kept, paragraph)
		}
	}
	return strings.Join(kept, "\n\n"), nil
}

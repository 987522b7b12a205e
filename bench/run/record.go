package main

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeRecord writes bench/RESULTS.md from the kept results.
func writeRecord(ctx context.Context, root string) error {
	v, err := versions(ctx)
	if err != nil {
		return err
	}
	var table, how strings.Builder
	for _, name := range programs {
		text, err := method(root, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&how, "\n## %s\n\n%s\n", name, text)
		r, err := kept(root, name)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && r.Machine != machine():
			how.WriteString("\nNot yet run on this machine.\n")
			continue
		case err != nil:
			return fmt.Errorf("%s: %w; run it again", keptPath(root, name), err)
		}
		for _, row := range r.Rows {
			c := row.Cells()
			for i := range c {
				c[i] = strings.ReplaceAll(c[i], "|", `\|`)
			}
			fmt.Fprintf(&table, "| %s |\n", strings.Join(c[:], " | "))
		}
		fmt.Fprintf(&how, "\nRun on %s at commit %s for %v; other work used %.0f %% of the processors before it.\n",
			r.Begun.Format("2 January 2006"), r.Code, r.Took.Round(time.Second), 100*r.Busy)
		if r.Failure != "" {
			fmt.Fprintf(&how, "\n**It failed: %s.**\n", r.Failure)
		}
	}
	text := fmt.Sprintf(`# Results

Written by `+"`scripts/bench --record`"+`; do not edit. Both sides of a row were measured in one run of one program, so
that the ratio is more reliable than the figures.

Machine: %s.
Software: %s.

| what | against | measured | reference | ratio | target | note |
|---|---|---|---|---|---|---|
%s
# Methods
%s`, machine(), v, table.String(), how.String())
	return os.WriteFile(filepath.Join(root, "bench", "RESULTS.md"), []byte(text), 0o644)
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

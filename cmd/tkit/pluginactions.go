package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/printable"
	"tkit/plugins/store"
	"tkit/registry"
)

func installPlugin(c *cli.Context, s store.Store) error {
	i, err := s.Install(c.Context, c.Args().First(), store.Options{
		Python: c.String("python"), Wheels: c.Path("wheels"), Host: pluginHost(c),
	})
	if err != nil {
		return fmt.Errorf("plugins install: %w", err)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, i)
	}
	printable.Fprintf(c.App.Writer, "installed %s, %s\nuse it as a step of a preprocessing:\n   - plugin: {name: %s, version: %s}\n",
		i.Description, i.Digest, i.Name, i.Version)
	return nil
}

func listPlugins(c *cli.Context, s store.Store) error {
	all, err := s.List()
	if c.Bool("json") {
		if all == nil {
			all = []store.Installed{}
		}
		return errors.Join(err, printJSON(c.App.Writer, all))
	}
	if len(all) == 0 && err == nil {
		fmt.Fprintln(c.App.Writer, "no plugin is installed; `tkit plugins install` does it, `tkit plugins new` begins one")
		return nil
	}
	var rows [][]string
	for _, i := range all {
		rows = append(rows, []string{i.Name, i.Version, i.Takes.String(), i.Gives.String(), i.Digest[:min(19, len(i.Digest))], i.Summary})
	}
	return errors.Join(err, printTable(c.App.Writer, []string{"name", "version", "takes", "gives", "digest", "summary"}, rows))
}

func showPlugin(c *cli.Context, s store.Store) error {
	i, err := s.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, i)
	}
	rows := [][2]string{
		{"plugin", i.Description.String()}, {"summary", i.Summary}, {"takes", i.Takes.String()}, {"gives", i.Gives.String()},
		{"deterministic", map[bool]string{true: "yes", false: "no: what it makes is not kept"}[i.Deterministic]},
		{"digest", i.Digest}, {"size", fmt.Sprintf("%d bytes", i.Size)}, {"installed", i.At.Format("2006-01-02 15:04:05 MST")},
	}
	if i.Python != nil {
		rows = append(rows, [2]string{"python", i.Python.Version + " with " + strings.Join(i.Python.Packages, ", ")})
	}
	for _, row := range rows {
		if row[1] != "" {
			printable.Fprintf(c.App.Writer, "%-15s%s\n", row[0], row[1])
		}
	}
	if len(i.ConfigSchema) == 0 {
		fmt.Fprintln(c.App.Writer, "configuration  none")
		return nil
	}
	fmt.Fprintln(c.App.Writer, "configuration, as a JSON Schema:")
	return printJSON(c.App.Writer, json.RawMessage(i.ConfigSchema))
}

func verifyPlugins(c *cli.Context, s store.Store) error {
	problems, err := s.Verify(c.Context)
	if err != nil {
		return err
	}
	all, _ := s.List() // what cannot be read is a problem already
	if c.Bool("json") {
		if problems == nil {
			problems = []store.Problem{}
		}
		err = printJSON(c.App.Writer, problems)
	} else {
		for _, p := range problems {
			printable.Fprintf(c.App.Writer, "%s: %s\n", p.Plugin, p.Detail)
		}
		if len(problems) == 0 {
			printable.Fprintf(c.App.Writer, "%d plugins are as they were installed\n", len(all))
		}
	}
	if len(problems) > 0 {
		err = errors.Join(err, fmt.Errorf("plugins verify: %d problems", len(problems)))
	}
	return err
}

func removePlugin(c *cli.Context, s store.Store) error {
	i, err := s.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	needed, err := neededBy(c, i.Digest)
	if err != nil {
		return err
	}
	if len(needed) > 0 && !c.Bool("force") {
		return fmt.Errorf("plugins remove: %s is needed by %s; --force removes it all the same, and they can then not be served",
			i.Description, strings.Join(needed, ", "))
	}
	if err := s.Remove(i); err != nil {
		return fmt.Errorf("plugins remove: %w", err)
	}
	printable.Fprintf(c.App.Writer, "removed %s (%s)\n", i.Description, i.Digest)
	return nil
}

// neededBy lists the registered versions that pin a digest.
func neededBy(c *cli.Context, digest string) (refs []string, err error) {
	r, err := openRegistry(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	models, err := r.List(c.Context)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		versions, err := r.Versions(c.Context, m.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if pins(v.Manifest, digest) {
				refs = append(refs, v.Manifest.Ref().String())
			}
		}
	}
	return refs, nil
}

func pins(m *registry.Manifest, digest string) bool {
	for _, p := range m.Preprocessing.Plugins() {
		if p.Digest == digest {
			return true
		}
	}
	return false
}

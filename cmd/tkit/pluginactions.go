package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
	"tkit/internal/printable"
	"tkit/plugins/store"
)

func installPlugin(c *cli.Context, s store.Store) error {
	o := storeOptions(c)
	o.Host = pluginHost(c)
	i, err := s.Install(c.Context, c.Args().First(), o)
	if err != nil {
		return fmt.Errorf("plugins install: %w", err)
	}
	return commandline.ShowDone(c, i, "installed %s, %s\nuse it as a step of a preprocessing:\n   - plugin: {name: %s, version: %s}", i.Description, i.Digest, i.Name, i.Version)
}

func listPlugins(c *cli.Context, s store.Store) error {
	all, err := s.List()
	if err != nil && len(all) == 0 {
		return err
	}
	return errors.Join(err, commandline.ShowList(c, all, "no plugin is installed; `tkit plugins install PATH` installs one, `tkit plugins new NAME` creates the project of one",
		[]string{"name", "version", "takes", "gives", "digest", "summary"}, func(i store.Installed) []string {
			return []string{i.Name, i.Version, i.Takes.String(), i.Gives.String(), i.Digest[:min(19, len(i.Digest))], i.Summary}
		}))
}

func showPlugin(c *cli.Context, s store.Store) error {
	i, err := s.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	return commandline.Show(c, i, i.WriteText)
}

func verifyPlugins(c *cli.Context, s store.Store) error {
	problems, err := s.Verify(c.Context)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		problems = []store.Problem{} // [] in JSON
	}
	err = commandline.Show(c, problems, func(w io.Writer) error {
		for _, p := range problems {
			printable.Fprintf(w, "%s: %s\n", p.Plugin, p.Detail)
		}
		if len(problems) > 0 {
			return nil
		}
		all, err := s.List()
		printable.Fprintf(w, "%d plugins are unchanged since their installation\n", len(all))
		return err
	})
	if len(problems) > 0 {
		err = errors.Join(err, fmt.Errorf("plugins verify: %d problems", len(problems)))
	}
	return err
}

func removePlugin(c *cli.Context, s store.Store) (err error) {
	i, err := s.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	k, who, err := openCatalog(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	versions, err := k.VersionsPinning(c.Context, who, i.Digest)
	if err != nil {
		return err
	}
	if len(versions) > 0 && !c.Bool("force") {
		return fmt.Errorf("plugins remove: %s is needed by %s; --force removes it anyway, after which they cannot be served",
			i.Description, strings.Join(versions, ", "))
	}
	if err := s.Remove(i); err != nil {
		return fmt.Errorf("plugins remove: %w", err)
	}
	printable.Fprintf(c.App.Writer, "removed %s (%s)\n", i.Description, i.Digest)
	return nil
}

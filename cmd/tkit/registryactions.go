package main

import (
	"errors"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/registry"
	"tkit/registry/versionpage"
)

const emptyRegistry = "the registry is empty; `tkit train` registers a model"

func listRegistry(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	if model := c.Args().First(); model != "" {
		versions, err := k.ListVersions(c.Context, who, model)
		if err != nil {
			return err
		}
		return commandline.Show(c, versions, func(w io.Writer) error { return versionpage.WriteVersions(w, versions) })
	}
	models, err := k.ListModels(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.ShowList(c, models, emptyRegistry, versionpage.ModelHeader, versionpage.ModelRow)
}

func showVersion(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error {
	if name := c.String("attachment"); name != "" {
		return printAttachment(c, k, who, ref)
	}
	v, err := k.ShowVersion(c.Context, who, ref)
	if err != nil {
		return err
	}
	if file := c.Path("html"); file != "" {
		if err := writeVersionPage(c, k, who, v, file); err != nil {
			return err
		}
	}
	return commandline.Show(c, v, func(w io.Writer) error { return versionpage.WriteText(w, v) })
}

func printAttachment(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) (err error) {
	r, err := k.Attachment(c.Context, who, ref, c.String("attachment"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(present.Content(c.App.Writer), r)
	return err
}

func promoteVersion(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error {
	a, err := k.Promote(c.Context, who, ref, c.String("alias"), change(c))
	if err != nil {
		return err
	}
	return printAlias(c, a)
}

func rollBack(c *cli.Context, k *catalog.Catalog, who access.Caller, alias registry.Ref) error {
	a, err := k.Rollback(c.Context, who, alias, change(c))
	if err != nil {
		return err
	}
	return printAlias(c, a)
}

func removeAlias(c *cli.Context, k *catalog.Catalog, who access.Caller, alias registry.Ref) error {
	if err := k.RemoveAlias(c.Context, who, alias, change(c)); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"removed": alias.String()}, "removed %s", alias)
}

func removeVersions(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	ref, err := registry.ParseVersions(c.Args().First())
	if err != nil {
		return err
	}
	removed, err := k.RemoveVersions(c.Context, who, ref, change(c))
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"removed": removed}, "removed %s", strings.Join(removed, ", "))
}

func showHistory(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	if c.IsSet("at") {
		return showAssignments(c, k, who)
	}
	events, err := k.History(c.Context, who, c.Args().First())
	if err != nil {
		return err
	}
	return commandline.ShowList(c, events, emptyRegistry, versionpage.EventHeader, versionpage.EventRow)
}

func exportVersion(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error {
	dir := c.Args().Get(1)
	m, err := k.Export(c.Context, who, ref, catalog.ExportOptions{Folder: dir, Preprocessing: c.Bool("with-preprocessing")})
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, m, "exported %s to %s", m.Ref(), dir)
}

func verifyRegistry(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	problems, err := k.VerifyRegistry(c.Context, who)
	if err != nil {
		return err
	}
	return errors.Join(commandline.Show(c, problems, func(w io.Writer) error { return tables.WriteProblems(w, problems) }), tables.ProblemsError(problems))
}

func collectBlobs(c *cli.Context) error {
	who, err := catalog.Self("")
	if err != nil {
		return err
	}
	collected, err := catalog.Collect(c.Context, who, options(c),
		catalog.CollectOptions{DryRun: c.Bool("dry-run"), Wait: c.Duration("wait")})
	if err != nil {
		return err
	}
	if !c.Bool("dry-run") {
		if err := pluginStore(c).Tidy(); err != nil {
			return err
		}
	}
	return commandline.Show(c, collected, func(w io.Writer) error { return tables.WriteCollected(w, collected, c.Bool("dry-run")) })
}

func printAlias(c *cli.Context, a registry.Alias) error {
	return commandline.ShowDone(c, a, "%s@%s is version %d, since %s by %s%s", a.Model, a.Name, a.Version, present.Time(a.Since), a.Actor, present.Prefixed(": ", a.Reason))
}

// writeVersionPage writes the description of a version, with its restrictions,
// as a page.
func writeVersionPage(c *cli.Context, k *catalog.Catalog, who access.Caller, v registry.Version, file string) error {
	a, err := k.VersionAccess(c.Context, who, v.Manifest.Ref())
	if err != nil {
		return err
	}
	shown := &versionpage.Page{Version: v, By: version, Restrictions: tables.Restrictions(a)}
	return writePage(c, file, shown.Write)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
	"tkit/registry/export"
)

const emptyRegistry = "the registry is empty; `tkit train` registers a model"

func listRegistry(c *cli.Context, r *registry.Registry) error {
	if c.NArg() == 1 {
		return listVersions(c, r)
	}
	models, err := r.List(c.Context)
	if err != nil {
		return err
	}
	return showList(c, models, emptyRegistry, []string{"model", "newest", "production", "other aliases", "created"}, modelRow)
}

func listVersions(c *cli.Context, r *registry.Registry) error {
	versions, err := r.Versions(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	if err := hideOthers(c, r, versions); err != nil {
		return err
	}
	return show(c, versions, func(w io.Writer) error { return printVersions(w, versions) })
}

// hideOthers leaves of the versions that who runs the command may not use what
// tells nothing of their data: that they are there, since when, and their aliases.
func hideOthers(c *cli.Context, r *registry.Registry, versions []registry.Version) error {
	lineages := make([][]access.Origin, len(versions))
	for i, v := range versions {
		var err error
		if lineages[i], err = catalog.Origins(c.Context, r, v.Manifest); err != nil {
			return err
		}
	}
	return asked(c, func(a *asking) error {
		p, err := a.policy(c)
		if err != nil {
			return err
		}
		may, err := a.UsableVersions(c.Context, p, a.who, lineages)
		for i := range may {
			if m := versions[i].Manifest; !may[i] {
				versions[i].Manifest = &registry.Manifest{Model: m.Model, Version: m.Version, Created: m.Created, Description: "not yours to use"}
			}
		}
		return err
	})
}

func showVersion(c *cli.Context, r *registry.Registry) error {
	ref, err := registry.ParseRef(c.Args().First())
	if err != nil {
		return err
	}
	v, err := r.Version(c.Context, ref)
	if err != nil {
		return err
	}
	if name := c.String("attachment"); name != "" {
		return printAttachment(c, r, v.Manifest, name)
	}
	// What a model is worth and made of was derived from its data.
	if err := allowed(c, r, v.Manifest, "show", access.Use); err != nil {
		return err
	}
	if file := c.Path("html"); file != "" {
		if err := writeVersionPage(c, r, v, file); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	return show(c, v, func(w io.Writer) error { return printVersion(w, v) })
}

// printAttachment writes what was derived from a version's data, to those who
// may have the version itself.
func printAttachment(c *cli.Context, r *registry.Registry, m *registry.Manifest, name string) (err error) {
	part, ok := m.Attachments[name]
	if !ok {
		return fmt.Errorf("--attachment: %s has no %q; it has %s", m.Ref(), name, strings.Join(slices.Sorted(maps.Keys(m.Attachments)), ", "))
	}
	if err := allowed(c, r, m, "show "+name, access.Download); err != nil {
		return err
	}
	path, err := r.BlobPath(c.Context, part.Digest)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(present.Content(c.App.Writer), f)
	return err
}

func promoteVersion(c *cli.Context, r *registry.Registry) error {
	ref, err := registry.ParseRef(c.Args().First())
	if err != nil {
		return err
	}
	m, err := r.Resolve(c.Context, ref)
	if err != nil {
		return err
	}
	a, err := moveAlias(c, r, m.Model, "promote", func(admit registry.AdmitMove) (registry.Alias, error) {
		return r.Promote(c.Context, m.Model, m.Version, c.String("alias"), change(c), admit)
	})
	if err != nil {
		return err
	}
	return printAlias(c, a)
}

func rollBack(c *cli.Context, r *registry.Registry) error {
	ref, err := aliasRef(c.Args().First())
	if err != nil {
		return err
	}
	a, err := moveAlias(c, r, ref.Model, "rollback", func(admit registry.AdmitMove) (registry.Alias, error) {
		return r.Rollback(c.Context, ref.Model, ref.Alias, change(c), admit)
	})
	if err != nil {
		return err
	}
	return printAlias(c, a)
}

func removeAlias(c *cli.Context, r *registry.Registry) error {
	ref, err := aliasRef(c.Args().First())
	if err != nil {
		return err
	}
	_, err = moveAlias(c, r, ref.Model, "remove-alias", func(admit registry.AdmitMove) (registry.Alias, error) {
		return registry.Alias{}, r.RemoveAlias(c.Context, ref.Model, ref.Alias, change(c), admit)
	})
	if err != nil {
		return err
	}
	return showDone(c, map[string]any{"removed": ref.String()}, "removed %s", ref)
}

// errLooking ends a move that is only to tell where from and where to.
var errLooking = errors.New("not moved yet")

// moveAlias moves an alias if who runs the command may promote both the version
// that it names and the one that it is to name. What is decided is written down
// before the move, which then is that one or none.
func moveAlias(c *cli.Context, r *registry.Registry, model, action string,
	move func(registry.AdmitMove) (registry.Alias, error)) (registry.Alias, error) {
	var from, to int
	_, err := move(func(f, t int) error {
		from, to = f, t
		return errLooking
	})
	if !errors.Is(err, errLooking) {
		return registry.Alias{}, err
	}
	err = asked(c, func(a *asking) error {
		for _, version := range slices.Compact([]int{from, to}) {
			if version == 0 {
				continue
			}
			_, lineage, err := lineageOf(c, r, registry.Ref{Model: model, Version: version})
			if err != nil {
				return err
			}
			if err := a.decide(c, access.Request{Action: action, Right: access.Promote, Lineage: lineage}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return registry.Alias{}, err
	}
	return move(func(f, t int) error {
		if f != from || t != to {
			return errors.New("somebody moved it meanwhile: look again")
		}
		return nil
	})
}

// aliasRef reads a reference to an alias, not to a version.
func aliasRef(s string) (registry.Ref, error) {
	ref, err := registry.ParseRef(s)
	if err == nil && ref.Version != 0 {
		err = fmt.Errorf("%s is a version, and versions stay; name an alias, as in %s@champion", ref, ref.Model)
	}
	return ref, err
}

func showHistory(c *cli.Context, r *registry.Registry) error {
	events, err := r.History(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	return showList(c, events, emptyRegistry, []string{"time", "who", "did", "model", "what", "why"}, eventRow)
}

func exportVersion(c *cli.Context, r *registry.Registry) error {
	ref, err := registry.ParseRef(c.Args().First())
	if err != nil {
		return err
	}
	m, err := r.Resolve(c.Context, ref)
	if err != nil {
		return err
	}
	if err := allowed(c, r, m, "export", access.Download); err != nil {
		return err
	}
	o := export.Options{Preprocessing: c.Bool("with-preprocessing")}
	if o.Private, err = restricted(c, r, m); err != nil {
		return err
	}
	dir := c.Args().Get(1)
	if m, err = export.Write(c.Context, r, m.Ref(), dir, o); err != nil {
		return err
	}
	return showDone(c, m, "exported %s to %s", m.Ref(), dir)
}

func verifyRegistry(c *cli.Context, r *registry.Registry) error {
	problems, err := r.Verify(c.Context)
	if err != nil {
		return err
	}
	err = show(c, problems, func(w io.Writer) error {
		for _, p := range problems {
			printable.Fprintf(w, "%s: %s\n", p.Subject, p.Detail)
		}
		if len(problems) == 0 {
			fmt.Fprintln(w, "all is as it was registered")
		}
		return nil
	})
	if len(problems) > 0 {
		err = errors.Join(err, fmt.Errorf("registry verify: %d found; registering the same content again mends a blob, a backup the rest",
			len(problems)))
	}
	return err
}

func collectBlobs(c *cli.Context, r *registry.Registry) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("wait"))
	defer cancel()
	collected, err := r.Collect(ctx, c.Bool("dry-run"))
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w; something is being registered: try again later or raise --wait", err)
		}
		return err
	}
	if !c.Bool("dry-run") {
		if err := pluginStore(c).Tidy(); err != nil {
			return err
		}
	}
	return show(c, collected, func(w io.Writer) error {
		for _, b := range collected.Blobs {
			printable.Fprintf(w, "%s  %s\n", b.Digest, present.Bytes(b.Size))
		}
		did := map[bool]string{false: "removed", true: "would remove"}[c.Bool("dry-run")]
		_, err := printable.Fprintf(w, "%s %d unused and %d unfinished files, %s\n", did, len(collected.Blobs), collected.Leavings, present.Bytes(collected.Bytes))
		return err
	})
}

func printAlias(c *cli.Context, a registry.Alias) error {
	return showDone(c, a, "%s@%s is version %d, since %s by %s%s", a.Model, a.Name, a.Version, present.Time(a.Since), a.Actor, present.Prefixed(": ", a.Reason))
}

package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/catalog"
	"tkit/internal/page"
	"tkit/internal/printable"
	"tkit/registry"
	"tkit/registry/versionpage"
)

// writeVersionPage writes what a version is, and what restricts it, as a page.
func writeVersionPage(c *cli.Context, r *registry.Registry, v registry.Version, file string) error {
	lineage, err := catalog.Origins(c.Context, r, v.Manifest)
	if err != nil {
		return err
	}
	shown := &versionpage.Page{Version: v, By: version}
	err = asked(c, func(a *asking) error {
		p, err := a.policy(c)
		if err != nil {
			return err
		}
		shown.Restrictions = restrictions(p, v.Manifest, p.Restrictions(lineage), p.Exemptions(v.Manifest.Ref().String()))
		return nil
	})
	if err != nil {
		return err
	}
	if err := page.WriteFile(file, func(w io.Writer) error { return shown.Write(w) }); err != nil {
		return err
	}
	printable.Fprintf(c.App.ErrWriter, "wrote %s\n", file)
	return nil
}

package main

import (
	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/registry"
	"tkit/registry/versionpage"
)

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

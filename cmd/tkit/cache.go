package main

import (
	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
)

func cacheCommand() *cli.Command {
	return &cli.Command{
		Name: "cache", Usage: "show or clear the bottlenecks that trainings and pipelines keep",
		Description: `A training keeps the outputs of its base for each image, so that the next one on
the same images need not compute them again, and so does a pipeline if tkit_classify has
keep_bottlenecks_gb. That and ` + "`tkit train --cache-size`" + ` limit the cache. Only the owner of the home can see or clear it.`,
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "show what the cache holds, the most recently used first", Flags: []cli.Flag{jsonFlag()},
				Description: "Examples:\n   tkit cache show",
				Action:      inHome(withCatalog(showCache)),
			},
			{
				Name: "clear", Usage: "remove everything from the cache", Flags: []cli.Flag{jsonFlag()},
				Description: "Examples:\n   tkit cache clear",
				Action:      inHome(withCatalog(clearCache)),
			},
		},
	}
}

func showCache(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	parts, err := k.Cache(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.ShowList(c, parts, "the cache is empty", tables.CachePart, tables.CachePartRow)
}

func clearCache(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	removed, err := k.ClearCache(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"bytes": removed}, "removed %s", present.Bytes(removed))
}

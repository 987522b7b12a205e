package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/architectures"
	"tkit/catalog"
	"tkit/registry"
)

// What a shell may offer for an argument. Listings are recorded as any other.
var (
	modelNames   = offered((*catalog.Catalog).ListModels, func(m registry.Model) []string { return []string{m.Name} })
	versionNames = offered((*catalog.Catalog).ListModels, registry.Model.Refs)
	onlyVersions = offered((*catalog.Catalog).ListModels, registry.Model.VersionRefs)
	aliasNames   = offered((*catalog.Catalog).ListModels, registry.Model.AliasNames)
	datasetNames = offered((*catalog.Catalog).ListDatasets, func(d catalog.ListedDataset) []string { return []string{d.Name} })
	baseNames    = offered((*catalog.Catalog).ListBases, func(m *registry.BaseManifest) []string { return []string{m.Name} })
)

// offered makes a function that returns the names in a listing of the home, and
// nothing where there is no home or an error: a shell would offer the message.
func offered[T any](list func(*catalog.Catalog, context.Context, access.Caller) ([]T, error), names func(T) []string) func(*cli.Context) []string {
	return func(c *cli.Context) (all []string) {
		if options(c).Exists() != nil {
			return nil
		}
		k, who, err := openCatalog(c)
		if err != nil {
			return nil
		}
		defer k.Close()
		items, _ := list(k, c.Context, who)
		for _, item := range items {
			all = append(all, names(item)...)
		}
		return all
	}
}

func pluginNames(c *cli.Context) (names []string) {
	all, _ := pluginStore(c).List()
	for _, i := range all {
		names = append(names, i.Description.String())
	}
	return names
}

func architectureNames(*cli.Context) (names []string) {
	for _, a := range architectures.All() {
		names = append(names, a.Name)
	}
	return names
}

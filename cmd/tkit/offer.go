package main

import (
	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/architectures"
	"tkit/catalog"
	"tkit/registry"
)

// modelNames are the names that a shell may offer for a model.
func modelNames(c *cli.Context) (names []string) {
	for _, m := range listedModels(c) {
		names = append(names, m.Name)
	}
	return names
}

// versionNames are those for a model, an alias or a version.
func versionNames(c *cli.Context) (names []string) {
	for _, m := range listedModels(c) {
		names = append(names, m.Name)
		for _, a := range m.Aliases {
			names = append(names, registry.Ref{Model: m.Name, Alias: a.Name}.String())
		}
		for v := m.Latest; v > 0; v-- {
			names = append(names, registry.Ref{Model: m.Name, Version: v}.String())
		}
	}
	return names
}

func aliasNames(c *cli.Context) (names []string) {
	for _, m := range listedModels(c) {
		for _, a := range m.Aliases {
			names = append(names, a.Name)
		}
	}
	return append(names, registry.Production)
}

func listedModels(c *cli.Context) []registry.Model {
	return offer(c, func(k *catalog.Catalog, who access.Caller) ([]registry.Model, error) {
		return k.ListModels(c.Context, who)
	})
}

// datasetNames are those of the datasets that the caller may list. This is recorded
// as any listing is.
func datasetNames(c *cli.Context) (names []string) {
	listed := offer(c, func(k *catalog.Catalog, who access.Caller) ([]catalog.ListedDataset, error) {
		return k.ListDatasets(c.Context, who)
	})
	for _, d := range listed {
		names = append(names, d.Name)
	}
	return names
}

func baseNames(c *cli.Context) (names []string) {
	listed := offer(c, func(k *catalog.Catalog, who access.Caller) ([]*registry.BaseManifest, error) {
		return k.ListBases(c.Context, who)
	})
	for _, m := range listed {
		names = append(names, m.Name)
	}
	return names
}

// offer returns what a listing of the home has, and nothing where there is no home
// or an error: a shell would offer the message.
func offer[T any](c *cli.Context, list func(k *catalog.Catalog, who access.Caller) ([]T, error)) []T {
	if catalog.Exists(c.Path("home")) != nil {
		return nil
	}
	k, who, err := openCatalog(c)
	if err != nil {
		return nil
	}
	defer k.Close()
	items, _ := list(k, who)
	return items
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

package server

import (
	"context"
	"fmt"
	"time"

	"tkit/inference"
	"tkit/registry"
)

// folderEvery is the interval between checks of a folder. A version that has not
// changed between two checks is considered complete.
const folderEvery = time.Second

// newSource returns the source that the options name: versions of a registry, or a
// folder.
func newSource(ctx context.Context, r inference.Registry, o Options) (inference.Source, error) {
	if o.Folder != "" {
		return openFolder(o)
	}
	source := &inference.RegistrySource{Registry: r, Every: o.Watch, Log: o.Log}
	for _, m := range o.Models {
		ref, err := registry.ParseRef(m)
		if err != nil {
			return nil, err
		}
		source.Wanted = append(source.Wanted, ref)
	}
	return source, source.Check(ctx)
}

func openFolder(o Options) (inference.Source, error) {
	if len(o.Models) > 0 {
		return nil, fmt.Errorf("serve: both models %q of the registry and the folder %s are given", o.Models, o.Folder)
	}
	source := &inference.FolderSource{Dir: o.Folder, Model: o.Name, Every: folderEvery, Log: o.Log}
	var err error
	if source.Model == "" {
		if source.Model, err = inference.ModelName(o.Folder); err != nil {
			return nil, fmt.Errorf("serve: %w", err)
		}
	}
	if err := source.Check(); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return source, nil
}

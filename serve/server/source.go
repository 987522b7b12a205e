package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tkit/inference"
	"tkit/registry"
)

// folderEvery is the time between looks at a folder. What has not changed from one
// look to the next is taken to be complete.
const folderEvery = time.Second

// openSource opens the home's registry, which the caller closes, or the folder that
// is served instead of it; then there is no registry.
func openSource(ctx context.Context, o Options) (inference.Source, *registry.Registry, error) {
	if o.Folder != "" {
		source, err := openFolder(o)
		return source, nil, err
	}
	source := &inference.RegistrySource{Every: o.Watch, Log: o.Log}
	for _, m := range o.Models {
		ref, err := registry.ParseRef(m)
		if err != nil {
			return nil, nil, err
		}
		source.Wanted = append(source.Wanted, ref)
	}
	var err error
	if source.Registry, err = registry.Open(ctx, o.Home); err != nil {
		return nil, nil, err
	}
	if err := source.Check(ctx); err != nil {
		return nil, nil, errors.Join(err, source.Registry.Close())
	}
	return source, source.Registry, nil
}

func openFolder(o Options) (inference.Source, error) {
	if len(o.Models) > 0 {
		return nil, fmt.Errorf("serve: models %q of the registry are asked for, and the folder %s", o.Models, o.Folder)
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

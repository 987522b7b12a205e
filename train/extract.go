package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"

	"tkit/internal/bottlenecks"
	"tkit/internal/inference"
	"tkit/internal/network"
)

// bottlenecks returns those of the entries, which are asked for anew whenever
// images turn out not to decode and leave the dataset. What is known, from this
// run or from the cache, does not go through the trunk.
func (f *fineTuning) bottlenecks(ctx context.Context, trunk *network.Network, entries func() []int) (map[bottlenecks.Sum][]float32, error) {
	rows := make(map[bottlenecks.Sum][]float32)
	maps.Copy(rows, f.rows)
	cache, err := f.cache(trunk)
	if err != nil {
		return nil, err
	}
	if cache != nil {
		defer cache.Close()
		for sum, row := range rows {
			if err := cache.Put(sum, row); err != nil {
				return nil, err
			}
		}
	}
	missing := f.missing(entries(), rows, cache)
	if len(missing) == 0 {
		return rows, nil
	}
	reasons, err := f.extract(ctx, trunk, missing, func(sum bottlenecks.Sum, row []float32) error {
		rows[sum] = row
		if cache == nil {
			return nil
		}
		return cache.Put(sum, row)
	})
	if err != nil {
		return nil, err
	}
	if cache != nil {
		if err := cache.Close(); err != nil {
			return nil, fmt.Errorf("bottleneck cache: %w", err)
		}
	}
	return rows, f.data.without(reasons, f.Split)
}

// cache opens the part of the cache for a trunk, nil where none is kept.
func (f *fineTuning) cache(trunk *network.Network) (*bottlenecks.Cache, error) {
	if f.Cache == "" {
		return nil, nil
	}
	digest, err := trunk.Digest()
	if err != nil {
		return nil, err
	}
	return bottlenecks.Open(f.Cache, digest, f.Preprocessing.Digest(), int(trunk.Outputs[0].Shape[1]))
}

// missing adds what the cache knows to rows and lists one entry for each image
// that it does not know.
func (f *fineTuning) missing(entries []int, rows map[bottlenecks.Sum][]float32, cache *bottlenecks.Cache) []int {
	var missing []int
	asked := make(map[bottlenecks.Sum]bool)
	for _, i := range entries {
		sum := f.data.snapshot.Entries[i].SHA256
		if rows[sum] != nil || asked[sum] {
			continue
		}
		if cache != nil {
			if row, ok := cache.Get(sum); ok {
				rows[sum] = row
				continue
			}
		}
		asked[sum] = true
		missing = append(missing, i)
	}
	return missing
}

// extract sends entries through the trunk. The reasons are of those that do not
// decode, and of every other entry of the same bytes.
func (f *fineTuning) extract(ctx context.Context, trunk *network.Network, entries []int,
	keep func(sum bottlenecks.Sum, row []float32) error) (reasons map[string]string, err error) {
	path := filepath.Join(f.Work, "trunk.network")
	if err := write(trunk, path); err != nil {
		return nil, err
	}
	defer os.Remove(path)
	loaded, err := inference.OpenTrunk(path, f.Session)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()

	progress, end := f.Observer.phase(Bottlenecks, len(entries), "images")
	e := inference.Extractor{Pipeline: f.pipeline, Trunk: loaded}
	failed := make(map[bottlenecks.Sum]string)
	done := 0
	err = e.Run(ctx, f.items(entries), func(i int, item inference.Item, row []float32, err error) error {
		sum := f.data.snapshot.Entries[entries[i]].SHA256
		done++
		if err != nil {
			failed[sum] = err.Error()
		} else if err := keep(sum, append([]float32(nil), row...)); err != nil {
			return err
		}
		progress(done, 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	end()
	reasons = make(map[string]string)
	for _, entry := range f.data.snapshot.Entries {
		if reason, bad := failed[entry.SHA256]; bad {
			reasons[entry.Key] = reason
		}
	}
	return reasons, nil
}

func (f *fineTuning) items(entries []int) iter.Seq[inference.Item] {
	return func(yield func(inference.Item) bool) {
		for _, i := range entries {
			item := inference.Item{
				Key:  f.data.snapshot.Entries[i].Key,
				Read: func(ctx context.Context) ([]byte, error) { return f.data.read(ctx, i) },
			}
			if !yield(item) {
				return
			}
		}
	}
}

// write encodes a network to a file.
func write(n *network.Network, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(n.Encode(out), out.Close())
}

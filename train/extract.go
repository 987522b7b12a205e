package train

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"tkit/inference"
	"tkit/internal/bottlenecks"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// An input is an image for a trunk, or a varied copy of one.
type input struct {
	entry int
	copy  int             // from 1; 0 is the original image
	key   bottlenecks.Sum // of its bottleneck
}

// inputs returns entries without copies.
func (f *fineTuning) inputs(entries []int) []input {
	out := make([]input, len(entries))
	for i, e := range entries {
		out[i] = input{entry: e, key: f.data.snapshot.Entries[e].SHA256}
	}
	return out
}

// withCopies returns entries and their varied copies. A copy is a function of
// the image's bytes, the augmentation, the seed and its number, and its key
// covers all of them.
func (f *fineTuning) withCopies(entries []int) []input {
	out := f.inputs(entries)
	for _, e := range entries {
		for k := range f.Copies {
			image := f.data.snapshot.Entries[e].SHA256
			key := sha256.Sum256(fmt.Appendf(image[:], " %+v %d %d", f.Augment, f.Seed, k+1))
			out = append(out, input{entry: e, copy: k + 1, key: key})
		}
	}
	return out
}

// bottlenecks returns the bottlenecks of inputs. inputs is called again
// whenever undecodable images leave the dataset. Bottlenecks known from this
// run or from the cache are not computed again.
func (f *fineTuning) bottlenecks(ctx context.Context, trunk *network.Network, inputs func() []input) (map[bottlenecks.Sum][]float32, error) {
	proved, err := independence.Prove(trunk)
	if err != nil {
		return nil, ownAnswers(err)
	}
	rows := make(map[bottlenecks.Sum][]float32)
	maps.Copy(rows, f.rows)
	cache, err := f.cache(trunk)
	if err != nil {
		return nil, err
	}
	if cache != nil {
		defer cache.Close()
		for key, row := range rows {
			if err := cache.Put(key, row); err != nil {
				return nil, err
			}
		}
	}
	// Images that leave the dataset change the split, so that others may be
	// needed.
	tried := proved
	for missing := f.missing(inputs(), rows, cache); len(missing) > 0 || !tried; missing = f.missing(inputs(), rows, cache) {
		tried = true
		reasons, err := f.extract(ctx, trunk, missing, func(key bottlenecks.Sum, row []float32) error {
			rows[key] = row
			if cache == nil {
				return nil
			}
			return cache.Put(key, row)
		})
		if err != nil {
			return nil, err
		}
		if err := f.data.without(reasons, f.Split); err != nil {
			return nil, err
		}
	}
	if cache != nil {
		if err := cache.Close(); err != nil {
			return nil, fmt.Errorf("bottleneck cache: %w", err)
		}
	}
	return rows, nil
}

// cache opens the part of the cache for a trunk, nil if there is no cache.
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

// missing adds cached bottlenecks to rows and returns one input for each
// missing bottleneck.
func (f *fineTuning) missing(inputs []input, rows map[bottlenecks.Sum][]float32, cache *bottlenecks.Cache) []input {
	var missing []input
	asked := make(map[bottlenecks.Sum]bool)
	for _, in := range inputs {
		if rows[in.key] != nil || asked[in.key] {
			continue
		}
		if cache != nil {
			if row, ok := cache.Get(in.key); ok {
				rows[in.key] = row
				continue
			}
		}
		asked[in.key] = true
		missing = append(missing, in)
	}
	return missing
}

// extract runs inputs through the trunk. It returns the reasons for undecodable
// images, by the keys of all entries with the same bytes.
func (f *fineTuning) extract(ctx context.Context, trunk *network.Network, inputs []input,
	keep func(key bottlenecks.Sum, row []float32) error) (reasons map[string]string, err error) {
	path := filepath.Join(f.Work, "trunk.network")
	if err := write(trunk, path); err != nil {
		return nil, err
	}
	defer os.Remove(path)
	config, parallel := f.Session, 1
	if config == (tensorflow.Config{}) {
		config, parallel = inference.Throughput()
	}
	loaded, err := inference.OpenTrunk(path, inference.TrunkOptions{Session: config})
	if err != nil {
		return nil, ownAnswers(err)
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	if err := loaded.Try(ctx); err != nil {
		return nil, ownAnswers(err)
	}
	progress, end := f.Observer.phase(Bottlenecks, len(inputs), "images")
	s := inference.Stream{Pipeline: f.pipeline, Trunk: loaded, Parallel: parallel}
	failed := make(map[bottlenecks.Sum]string)
	done := 0
	err = s.Run(ctx, f.items(inputs), func(i int, item inference.Item, row []float32, err error) error {
		done++
		if err != nil {
			failed[f.data.snapshot.Entries[inputs[i].entry].SHA256] = err.Error()
		} else if err := keep(inputs[i].key, append([]float32(nil), row...)); err != nil {
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

// ownAnswers adds the remedy to the error about a base whose output for an
// image depends on more than the image.
func ownAnswers(err error) error {
	if !errors.Is(err, independence.ErrMixes) {
		return err
	}
	return fmt.Errorf("base: %w: the output for an image would depend on the other images in its batch, or on random numbers; "+
		"export it in inference mode (training=False), without layers that draw random numbers or compute over the batch", err)
}

func (f *fineTuning) items(inputs []input) iter.Seq[inference.Item] {
	return func(yield func(inference.Item) bool) {
		for _, in := range inputs {
			item := inference.Item{
				Key:  f.data.snapshot.Entries[in.entry].Key,
				Read: func(ctx context.Context) ([]byte, error) { return f.data.read(ctx, in.entry) },
			}
			if in.copy > 0 {
				item.Vary = func(image []float32) { f.vary(image, in.key) }
			}
			if !yield(item) {
				return
			}
		}
	}
}

// vary makes the copy with a given key from the image.
func (f *fineTuning) vary(image []float32, key bottlenecks.Sum) {
	height, width, channels := f.pipeline.Shape()
	f.Augment.Apply(image, slices.Clone(image), [3]int{height, width, channels}, rand.New(rand.NewChaCha8(key)))
}

// write writes an encoded network to a file.
func write(n *network.Network, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(n.Encode(out), out.Close())
}

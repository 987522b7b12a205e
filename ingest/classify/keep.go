package classify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tkit/internal/bottlenecks"
	"tkit/registry"
)

// Keep says which bottlenecks are kept for trainings.
type Keep struct {
	// MostBytes is the size of the cache from which on no more are kept; 0 keeps none.
	MostBytes int64
	// Places are the paths and URIs of the folders of the images. Those that are
	// registered datasets decide, with the model's base, in which cache the bottlenecks
	// are: the one that trainings on these datasets use.
	Places []string
}

// lookEvery is the interval at which the keeper looks whether its caches are still the
// right ones, still there, and not full.
const lookEvery = 10 * time.Second

// A keeper puts bottlenecks into the caches that trainings read. A failure to keep one is
// logged and nothing else: a training computes it. Its methods may be called concurrently.
type keeper struct {
	// folder returns the folder of the cache for a version.
	folder func(ctx context.Context, m *registry.Manifest) (string, error)
	most   int64
	log    *slog.Logger
	every  time.Duration // between looks

	mu       sync.Mutex
	versions map[string]*destination // by MODEL@VERSION
	caches   map[cacheKey]*bottlenecks.Cache
	told     map[string]bool // what was logged
}

// A destination is where the bottlenecks of a version go.
type destination struct {
	looked time.Time
	cache  *bottlenecks.Cache // nil: not now
	left   int64              // bytes until the next look
}

type cacheKey struct {
	folder, trunk, preprocessing string
}

func newKeeper(most int64, folder func(ctx context.Context, m *registry.Manifest) (string, error), log *slog.Logger) *keeper {
	return &keeper{
		folder: folder, most: most, log: log, every: lookEvery,
		versions: make(map[string]*destination), caches: make(map[cacheKey]*bottlenecks.Cache), told: make(map[string]bool),
	}
}

// keep is an [inference.KeepFunc].
func (k *keeper) keep(m *registry.Manifest, image [sha256.Size]byte, bottleneck []float32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := m.Ref().String()
	d := k.versions[name]
	if d == nil || time.Since(d.looked) >= k.every {
		d = &destination{looked: time.Now()}
		k.versions[name] = d
		if err := k.look(d, m, len(bottleneck)); err != nil {
			k.tell("bottlenecks are not kept", "model", name, "error", err)
		}
	}
	if d.cache == nil || d.left <= 0 {
		return
	}
	d.left -= bottlenecks.RecordSize(len(bottleneck))
	if err := d.cache.Put(image, bottleneck); err != nil {
		k.tell("a bottleneck is not kept, nor perhaps others", "model", name, "error", err)
	}
}

// errPlugins is why the bottlenecks of some versions are not kept.
var errPlugins = errors.New("the preprocessing has plugins, whose results only a training checks")

// look finds the cache of a version and how much space it has.
func (k *keeper) look(d *destination, m *registry.Manifest, width int) error {
	if len(m.Preprocessing.Plugins()) > 0 {
		return errPlugins
	}
	folder, err := k.folder(context.Background(), m) // it reads only the home
	if err != nil {
		return err
	}
	key := cacheKey{folder, string(m.Trunk.Digest), m.Preprocessing.Digest()}
	if d.cache, err = k.open(key, width); err != nil {
		return err
	}
	parts, err := bottlenecks.Parts(folder)
	if err != nil {
		return err
	}
	d.left = k.most
	for _, p := range parts {
		d.left -= p.Bytes
	}
	if d.left <= 0 {
		return fmt.Errorf("the cache has more than %d bytes: clear it, or keep more", k.most)
	}
	return nil
}

// open returns an open cache that is still there.
func (k *keeper) open(key cacheKey, width int) (*bottlenecks.Cache, error) {
	if c := k.caches[key]; c != nil {
		if c.Renew() {
			return c, nil
		}
		delete(k.caches, key)
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	c, err := bottlenecks.Open(key.folder, key.trunk, key.preprocessing, width)
	if err == nil {
		k.caches[key] = c
	}
	return c, err
}

// tell logs a warning once, because there may be one for each image.
func (k *keeper) tell(text string, about ...any) {
	said := text + fmt.Sprint(about...)
	if k.told[said] {
		return
	}
	k.told[said] = true
	k.log.Warn(text, about...)
}

// close closes the caches. No image is being classified any more.
func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.caches {
		if err := c.Close(); err != nil {
			k.tell("bottlenecks may be lost", "error", err)
		}
	}
}

package classify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/bottlenecks"
	"tkit/internal/preprocessing"
	"tkit/registry"
)

// The keeper stops when the cache is full, begins again when it was cleared, and says
// each only once.
func TestKeeper(t *testing.T) {
	const width, most = 5, 2000
	dir := filepath.Join(t.TempDir(), "bottlenecks")
	var log bytes.Buffer
	k := newKeeper(most, func(context.Context, *registry.Manifest) (string, error) { return dir, nil }, slog.New(slog.NewTextHandler(&log, nil)))
	k.every = 0 // it looks before each
	defer k.close()
	m := &registry.Manifest{Model: "flowers", Version: 1, Trunk: registry.Part{Digest: "sha256:trunk"}}
	fill := func(images int) (kept int64) {
		t.Helper()
		for i := range images {
			k.keep(m, sha256.Sum256([]byte{byte(i)}), make([]float32, width))
		}
		parts, err := bottlenecks.Parts(dir)
		if err != nil || len(parts) != 1 {
			t.Fatal(parts, err)
		}
		return parts[0].Bytes
	}
	if some := fill(3); some < 3*bottlenecks.RecordSize(width) || strings.Contains(log.String(), "WARN") {
		t.Errorf("%d bytes\n%s", some, log.String())
	}
	for range 2 {
		if full := fill(100); full < most || full > most+bottlenecks.RecordSize(width) {
			t.Errorf("the full cache has %d bytes", full)
		}
		if n := strings.Count(log.String(), "the cache has more than 2000 bytes"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	m.Version, m.Preprocessing.Steps = 2, []preprocessing.Step{{Plugin: &preprocessing.Plugin{Name: "crop"}}}
	k.keep(m, [sha256.Size]byte{}, make([]float32, width))
	if parts, err := bottlenecks.Parts(dir); err != nil || len(parts) > 0 || !strings.Contains(log.String(), "plugins") {
		t.Errorf("with a plugin: %v, %v\n%s", parts, err, log.String())
	}
}

package registry_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/preprocessing"
	"tkit/registry"
)

func newBase(name, weights string) registry.NewBase {
	port := []registry.TensorSpec{{Name: "images", DataType: "float32", Shape: []int64{-1, 8, 8, 3}}}
	return registry.NewBase{
		Manifest: registry.BaseManifest{
			Name: name, Licence: "Apache-2.0", Labels: []string{"crane", "crane"},
			Signature:     registry.Signature{Inputs: port, Outputs: port},
			Preprocessing: preprocessing.ForMode(preprocessing.TF, 8, 8, 3),
		},
		Network: registry.FromReader(strings.NewReader(weights)),
	}
}

func TestBases(t *testing.T) {
	home := t.TempDir()
	r, err := registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	added, err := r.AddBase(t.Context(), newBase("lite0", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.AddBase(t.Context(), newBase("lite0", "weights"))
	if err != nil || !again.Created.Equal(added.Created) {
		t.Errorf("the same base again: %+v, %v", again, err)
	}
	if _, err := r.AddBase(t.Context(), newBase("lite0", "others")); !errors.Is(err, registry.ErrExists) {
		t.Errorf("other weights under the name: %v", err)
	}
	relicensed := newBase("lite0", "weights")
	relicensed.Manifest.Licence = "MIT"
	if _, err := r.AddBase(t.Context(), relicensed); !errors.Is(err, registry.ErrExists) {
		t.Errorf("another licence under the name: %v", err)
	}
	for _, name := range []string{"", "a b", "m@1"} {
		if _, err := r.AddBase(t.Context(), newBase(name, "weights")); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for _, name := range []string{"lite0", string(added.Network.Digest)} {
		if m, err := r.Base(t.Context(), name); err != nil || m.Licence != "Apache-2.0" || m.Labels[1] != "crane" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := r.Base(t.Context(), "lite"); !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "did you mean lite0") {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := r.AddBase(t.Context(), newBase("twin", "weights")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Base(t.Context(), string(added.Network.Digest)); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a digest of two bases: %v", err)
	}
	all, err := r.Bases(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "lite0" || all[1].Name != "twin" {
		t.Errorf("bases: %v, %v", all, err)
	}
}

// The network of a base is kept until no base has it, and its damage is found.
func TestBasesAreKept(t *testing.T) {
	home := t.TempDir()
	r, err := registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, name := range []string{"one", "two"} {
		if _, err := r.AddBase(t.Context(), newBase(name, "weights")); err != nil {
			t.Fatal(err)
		}
	}
	collect := func(want int) {
		t.Helper()
		c, err := r.Collect(context.Background(), false)
		if err != nil || len(c.Blobs) != want {
			t.Errorf("collected %v, %v; want %d", c.Blobs, err, want)
		}
	}
	collect(0)
	removed, err := r.RemoveBase(t.Context(), "one")
	if err != nil || removed.Name != "one" {
		t.Fatalf("%v, %v", removed, err)
	}
	collect(0)
	if problems, err := r.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("problems %v, %v", problems, err)
	}
	path, err := r.BlobPath(t.Context(), removed.Network.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(filepath.Clean(path), []byte("weighty"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if problems, err := r.Verify(t.Context()); err != nil || len(problems) != 1 || !strings.Contains(problems[0].Detail, "base two") {
		t.Errorf("problems %v, %v", problems, err)
	}
	if _, err := r.RemoveBase(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	collect(1)
	if _, err := r.RemoveBase(t.Context(), "two"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

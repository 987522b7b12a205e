package bottlenecks

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"tkit/internal/fuzztest"
)

const trunk, preprocessing = "sha256:trunk", "sha256:preprocessing"

func open(t testing.TB, dir, trunk string, width int) *Cache {
	t.Helper()
	c, err := Open(dir, trunk, preprocessing, width)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func image(i int) Sum { return sha256.Sum256(fmt.Append(nil, i)) }

func values(i, width int) []float32 {
	v := make([]float32, width)
	for k := range v {
		v[k] = float32(i) + float32(k)/7
	}
	return v
}

func put(t testing.TB, c *Cache, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := c.Put(image(i), values(i, c.width)); err != nil {
			t.Fatal(err)
		}
	}
}

// known counts the cached images below n, and verifies them.
func known(t testing.TB, c *Cache, n int) int {
	t.Helper()
	count := 0
	for i := range n {
		v, ok := c.Get(image(i))
		if !ok {
			continue
		}
		count++
		if !slices.Equal(v, values(i, c.width)) {
			t.Fatalf("image %d: %v", i, v)
		}
	}
	return count
}

func TestKeepsAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, trunk, 5)
	put(t, a, 0, 10)
	b := open(t, dir, trunk, 5) // like another process, beside a
	put(t, b, 5, 20)
	put(t, a, 20, 30)
	if got := known(t, a, 40); got != 20 {
		t.Errorf("a knows %d images, want its own 20", got)
	}
	if got := known(t, open(t, dir, trunk, 5), 40); got != 30 {
		t.Errorf("opened anew it knows %d images, want 30", got)
	}
}

func TestFindsNothingOfOthers(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir, trunk, 5), 0, 10)
	for name, c := range map[string]*Cache{
		"another trunk": open(t, dir, "sha256:other", 5),
		"another width": open(t, dir, trunk, 6),
	} {
		if got := known(t, c, 10); got != 0 {
			t.Errorf("%s finds %d", name, got)
		}
	}
	if err := open(t, dir, trunk, 5).Put(image(1), values(1, 4)); err == nil {
		t.Error("a bottleneck of the wrong width was accepted")
	}
}

// segment returns the only file of a cache with ten images of width 5.
func segment(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	c := open(t, dir, trunk, 5)
	put(t, c, 0, 10)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"+suffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("segments %v, %v", found, err)
	}
	return dir, found[0]
}

func TestCutOffAnywhere(t *testing.T) {
	dir, path := segment(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record := (len(whole) - header) / 10
	for n := len(whole); n >= 0; n -= 7 {
		if err := os.Truncate(path, int64(n)); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir, trunk, 5)
		if got, want := known(t, c, 10), max(0, n-header)/record; got != want {
			t.Errorf("of %d bytes: %d images, want %d", n, got, want)
		}
		c.Close()
	}
}

func TestFlippedBytes(t *testing.T) {
	dir, path := segment(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := header; at < len(whole); at += 11 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 0x40
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir, trunk, 5)
		if got := known(t, c, 10); got != 9 {
			t.Errorf("byte %d flipped: %d images, want 9", at, got)
		}
		put(t, c, 0, 10)
		if got := known(t, c, 10); got != 10 {
			t.Errorf("byte %d flipped: %d images after they were put again", at, got)
		}
		c.Close()
		for _, other := range others(t, path) {
			os.Remove(other)
		}
	}
}

func others(t *testing.T, path string) []string {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(f string) bool { return f == path })
}

func TestPrivate(t *testing.T) {
	_, path := segment(t)
	for _, c := range []struct {
		path string
		mode os.FileMode
	}{{path, 0o600}, {filepath.Dir(path), 0o700}} {
		info, err := os.Stat(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != c.mode {
			t.Errorf("%s has the mode %v, want %v", c.path, info.Mode().Perm(), c.mode)
		}
	}
}

func TestConcurrent(t *testing.T) {
	c := open(t, t.TempDir(), trunk, 64)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if err := c.Put(image((i+g*13)%100), values((i+g*13)%100, 64)); err != nil {
					t.Error(err)
				}
				c.Get(image(i))
			}
		})
	}
	wg.Wait()
	if got := known(t, c, 100); got != 100 || len(c.index) != 100 {
		t.Errorf("%d images, %d indexed, want 100", got, len(c.index))
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for i, name := range []string{"a", "b", "c"} {
		c := open(t, dir, name, 100)
		put(t, c, 0, 10)
		c.Close()
		at := old.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(c.dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	one := int64(header + 10*(sha256.Size+400+trailer))
	known(t, open(t, dir, "a", 100), 1) // in use again: now the newest
	removed, err := Prune(dir, 2*one)
	if err != nil || removed != one {
		t.Fatalf("removed %d, %v; want one part of %d", removed, err, one)
	}
	for name, want := range map[string]int{"a": 10, "b": 0, "c": 10} {
		if got := known(t, open(t, dir, name, 100), 10); got != want {
			t.Errorf("%s has %d images, want %d", name, got, want)
		}
	}
	if _, err := Prune(filepath.Join(dir, "missing"), 1); err != nil {
		t.Errorf("no cache yet: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, tail []byte) {
		defer fuzztest.Watch(t, len(tail))()
		dir := t.TempDir()
		c := open(t, dir, trunk, 3)
		put(t, c, 0, 1)
		c.Close()
		found, err := filepath.Glob(filepath.Join(dir, "*", "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		head, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(found[0], append(head, tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := known(t, open(t, dir, trunk, 3), 1); got != 1 {
			t.Error("the record before the damage is lost")
		}
	})
}

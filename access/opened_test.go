package access

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What was opened belongs to the registered datasets whose files it has, by
// whatever path.
func TestOpened(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"data/scans/a", "data/plain", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	uri := func(path string) string { return (&url.URL{Scheme: "file", Path: filepath.Join(dir, path)}).String() }
	p := new(Policy)
	for name, at := range map[string]string{"scans": "data/scans", "gone": "gone"} {
		r := Registered{Name: name, URI: uri(at)}
		r.place, _ = placeOf(r.URI)
		p.datasets = append(p.datasets, r)
	}
	// The registered path leads to the same folder still, by a link above it.
	if err := os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("moved", filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"moved/scans": {"scans"}, "moved/scans/a": {"scans"}, "moved": {"scans"}, "moved/plain": nil, "other": nil, "": {"scans"},
	} {
		d, err := p.Opened(Data{URI: uri("before")}, "", uri(path))
		if err != nil || !slices.Equal(d.Datasets, want) || d.URI != uri(path) {
			t.Errorf("%s is of %v at %s, %v; want %v", path, d.Datasets, d.URI, err, want)
		}
	}
	if _, err := p.Opened(Data{}, "", uri("nowhere")); err == nil {
		t.Error("what cannot be looked at is of no dataset")
	}
	if d, err := p.Opened(Data{}, "alice", "hdfs://nn/data/scans"); err != nil || len(d.Datasets) > 0 || d.Store != "alice" {
		t.Errorf("in HDFS it is %+v, %v", d, err)
	}
}

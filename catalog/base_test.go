package catalog

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"tkit/registry"
)

// A base is named by a path, by a stored base's name or digest, or by a version. A
// name that means several of them is refused with the spellings of each.
func TestFindBase(t *testing.T) {
	f := newFixture(t)
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("folder", 0o755), os.Mkdir("stored", 0o755), os.WriteFile("graph.pb", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	stored, err := f.ShowBase(t.Context(), olga, "stored")
	if err != nil {
		t.Fatal(err)
	}
	digest := string(stored.Network.Digest)
	for _, c := range []struct{ name, path, stored, version, refused string }{
		{name: "./folder", path: "./folder"},
		{name: "folder", path: "folder"},
		{name: "graph.pb", path: "graph.pb"},
		{name: "./stored", path: "./stored"},
		{name: digest, stored: "stored"},
		{name: "m@1", version: "m@1"},
		{name: "m", version: "m@2"},
		{name: "stored", refused: "./stored or " + digest},
		{name: "./other", refused: `"./other" is no path`},
		{name: "other", refused: "no stored base, and model other: not found"},
	} {
		b, err := f.findBase(t.Context(), f.account, c.name)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) || errors.Is(err, ErrAmbiguous) != (c.name == "stored") {
				t.Errorf("%s: %v, want %q", c.name, err, c.refused)
			}
			continue
		}
		if err != nil || b.Path != c.path || (b.Stored != nil) != (c.stored != "") || (b.Version != nil) != (c.version != "") {
			t.Errorf("%s: %+v, %v", c.name, b, err)
		}
		if b.Version != nil && b.Version.Ref().String() != c.version {
			t.Errorf("%s: %s, want %s", c.name, b.Version.Ref(), c.version)
		}
	}
	// Others cannot name files, and so the name is not ambiguous for them.
	if b, err := f.findBase(t.Context(), olga, "stored"); err != nil || b.Stored == nil {
		t.Errorf("stored, by olga: %+v, %v", b, err)
	}
	if _, err := f.findBase(t.Context(), olga, "./folder"); err == nil {
		t.Error("olga names a folder")
	}
}

// A version and a stored base of one name are not told apart.
func TestFindBaseOfAVersionsName(t *testing.T) {
	f := newFixture(t)
	t.Chdir(t.TempDir())
	read := func(ctx context.Context) (registry.NewBase, error) { return f.newBase(ctx, m1) }
	if _, err := f.ImportBase(t.Context(), f.account, "m", read); err != nil {
		t.Fatal(err)
	}
	if _, err := f.findBase(t.Context(), olga, "m"); !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "m@2") {
		t.Errorf("%v", err)
	}
	if b, err := f.findBase(t.Context(), olga, "m@2"); err != nil || b.Version == nil {
		t.Errorf("%+v, %v", b, err)
	}
}

// Package filestest is the test suite for implementations of files.Tree. The
// test of a new store says how to store files, and calls Run.
package filestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"tkit/datasets"
	"tkit/datasets/files"
)

// File is a file to be stored.
type File struct {
	Path  string
	Bytes []byte
}

// Fixture is a tree that the suite can modify. The functions report failures to
// the test they were made with.
type Fixture struct {
	Tree files.Tree
	// Reopen opens a URI of the tree, like a later process.
	Reopen func(ctx context.Context, uri string) (files.Tree, error)
	// Put stores a file and the directories above it, replacing a file with the
	// same path.
	Put func(File)
	// MakeDirectory stores an empty directory.
	MakeDirectory func(path string)
	// Remove deletes a file.
	Remove func(path string)
	// Deny makes a file unreadable but still listed.
	Deny func(path string)
}

// Run runs the suite. For every test, setup stores only the given files, below
// a separate root.
func Run(t *testing.T, setup func(t *testing.T, stored []File) Fixture) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, func(*testing.T, []File) Fixture)
	}{
		{"Lists", lists},
		{"ListsErrors", listsErrors},
		{"StopsAndCancelsListing", stopsListing},
		{"Stats", stats},
		{"OpensAtOffsets", opensAtOffsets},
		{"OpensErrors", opensErrors},
		{"OpensConcurrently", opensConcurrently},
		{"CancelsReading", cancelsReading},
		{"RefusesPaths", refusesPaths},
		{"Changes", changes},
		{"ChangesUnderAReader", changesUnderAReader},
		{"Denied", denied},
		{"Moves", moves},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, setup) })
	}
}

// Pattern returns n bytes that depend on the seed and the position.
func Pattern(n, seed int) []byte {
	b := make([]byte, n)
	state := uint32(seed)*2654435761 + 1
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// awkward has names that are easily sorted or escaped wrongly.
func awkward() []File {
	paths := []string{
		".hidden",
		"Z",
		"a b/with space",
		"a-b/x", // '-' sorts before '/'
		"a-c",
		"a.b/x",
		"a/%41",
		"a/#1?",
		"a/b-c/x",
		"a/b/c/deep",
		"a/b0",
		"a/back\\slash",
		"a/q&=+;,",
		"a/é",
		"a/éa/x",
		"a/é-/x",
		"a0",
		"é",
		"猫/三毛",
		"猫a",
	}
	stored := make([]File, len(paths))
	for i, p := range paths {
		stored[i] = File{p, Pattern(10+i, i)}
	}
	return stored
}

func few() []File {
	return []File{{"a/1", Pattern(100, 1)}, {"a/2", Pattern(200, 2)}, {"b/3", Pattern(300, 3)}, {"c", Pattern(400, 4)}}
}

// walk lists everything below a directory in the order of List.
func walk(t *testing.T, tree files.Tree, dir string) []files.Info {
	t.Helper()
	var all []files.Info
	for info, err := range tree.List(t.Context(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info)
		if info.Directory {
			all = append(all, walk(t, tree, info.Path)...)
		}
	}
	return all
}

func read(ctx context.Context, tree files.Tree, path string, offset int64) ([]byte, error) {
	r, err := tree.Open(ctx, path, offset)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func lists(t *testing.T, setup func(*testing.T, []File) Fixture) {
	stored := awkward()
	f := setup(t, stored)
	f.MakeDirectory("a/empty")
	bytesOf := make(map[string][]byte)
	var want []string
	for _, s := range stored {
		bytesOf[s.Path] = s.Bytes
		want = append(want, s.Path)
		for at, c := range s.Path {
			if dir := s.Path[:at] + "/"; c == '/' && !slices.Contains(want, dir) {
				want = append(want, dir)
			}
		}
	}
	want = append(want, "a/empty/")
	slices.Sort(want)
	var got []string
	for _, info := range walk(t, f.Tree, "") {
		got = append(got, info.SortKey())
		if info.Refused != nil || !info.Directory && info.Size != int64(len(bytesOf[info.Path])) || !info.Directory && info.Modified.IsZero() {
			t.Errorf("%s is listed as %+v", info.Path, info)
		}
		if info.Directory {
			continue
		}
		if b, err := read(t.Context(), f.Tree, info.Path, 0); err != nil || !bytes.Equal(b, bytesOf[info.Path]) {
			t.Errorf("%s: %d bytes that are not those stored, %v", info.Path, len(b), err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := len(walk(t, setup(t, nil).Tree, "")); n != 0 {
		t.Errorf("%d files in an empty tree", n)
	}
}

func listsErrors(t *testing.T, setup func(*testing.T, []File) Fixture) {
	tree := setup(t, few()).Tree
	for dir, want := range map[string]error{"gone": fs.ErrNotExist, "a/gone": fs.ErrNotExist, "c": nil} {
		var failed error
		for _, err := range tree.List(t.Context(), dir) {
			failed = err
		}
		if failed == nil || want != nil && !errors.Is(failed, want) || errors.Is(failed, datasets.ErrUnavailable) || !strings.Contains(failed.Error(), dir) {
			t.Errorf("listing %s: %v", dir, failed)
		}
	}
}

func stopsListing(t *testing.T, setup func(*testing.T, []File) Fixture) {
	var stored []File
	for i := range 20 {
		stored = append(stored, File{fmt.Sprintf("d/%02d", i), nil})
	}
	tree := setup(t, stored).Tree
	for info, err := range tree.List(t.Context(), "d") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), tree, info.Path, 0); err != nil {
			t.Errorf("reading while listing: %v", err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, failed := 0, error(nil)
	for _, err := range tree.List(ctx, "d") {
		n, failed = n+1, err
	}
	if n != 1 || !errors.Is(failed, context.Canceled) {
		t.Errorf("a listing begun after the cancel has %d elements, the last with %v", n, failed)
	}
	if _, err := tree.Stat(ctx, "d/00"); !errors.Is(err, context.Canceled) {
		t.Errorf("asking after the cancel: %v", err)
	}
	if n := len(walk(t, tree, "d")); n != 20 {
		t.Errorf("%d of 20 are listed after that", n)
	}
}

func stats(t *testing.T, setup func(*testing.T, []File) Fixture) {
	tree := setup(t, few()).Tree
	for path, size := range map[string]int64{"": -1, "a": -1, "a/1": 100, "a/2": 200, "c": 400} {
		info, err := tree.Stat(t.Context(), path)
		if err != nil || info.Path != path || info.Directory != (size < 0) || !info.Directory && info.Size != size || info.Refused != nil {
			t.Errorf("%q is %+v, %v", path, info, err)
		}
	}
	for _, path := range []string{"gone", "a/gone", "gone/gone"} {
		if _, err := tree.Stat(t.Context(), path); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, datasets.ErrUnavailable) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, listed := range walk(t, tree, "") {
		asked, err := tree.Stat(t.Context(), listed.Path)
		if err != nil || asked.Identity != listed.Identity || !asked.Modified.Equal(listed.Modified) {
			t.Errorf("%s is listed as %+v and found as %+v, %v", listed.Path, listed, asked, err)
		}
	}
}

func opensAtOffsets(t *testing.T, setup func(*testing.T, []File) Fixture) {
	whole := Pattern(3_800_017, 1)
	tree := setup(t, []File{{"long", whole}, {"empty", nil}}).Tree
	for _, offset := range []int64{0, 1, 1 << 20, 3_800_000, 3_800_016, 3_800_017, 3_800_018, 1 << 40} {
		b, err := read(t.Context(), tree, "long", offset)
		if want := whole[min(offset, int64(len(whole))):]; err != nil || !bytes.Equal(b, want) {
			t.Errorf("from %d: %d bytes of %d or others, %v", offset, len(b), len(want), err)
		}
	}
	for _, offset := range []int64{0, 7} {
		if b, err := read(t.Context(), tree, "empty", offset); err != nil || len(b) > 0 {
			t.Errorf("the empty file from %d: %d bytes, %v", offset, len(b), err)
		}
	}
	r, err := tree.Open(t.Context(), "long", 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing before the end: %v", err)
	}
}

func opensErrors(t *testing.T, setup func(*testing.T, []File) Fixture) {
	tree := setup(t, few()).Tree
	for _, path := range []string{"gone", "a/gone"} {
		if _, err := read(t.Context(), tree, path, 0); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, datasets.ErrUnavailable) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"", "a"} {
		if _, err := read(t.Context(), tree, path, 0); err == nil || errors.Is(err, datasets.ErrUnavailable) {
			t.Errorf("opening the directory %q: %v", path, err)
		}
	}
	if _, err := read(t.Context(), tree, "c", -1); err == nil {
		t.Error("a negative offset gives no error")
	}
}

func opensConcurrently(t *testing.T, setup func(*testing.T, []File) Fixture) {
	var stored []File
	for i := range 8 {
		stored = append(stored, File{fmt.Sprintf("d/%d", i), Pattern(20_000, i)})
	}
	tree := setup(t, stored).Tree
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			s, offset := stored[i%8], int64(i*100)
			if b, err := read(t.Context(), tree, s.Path, offset); err != nil || !bytes.Equal(b, s.Bytes[offset:]) {
				t.Errorf("%s: %d bytes, %v", s.Path, len(b), err)
			}
		})
	}
	group.Wait()
}

func cancelsReading(t *testing.T, setup func(*testing.T, []File) Fixture) {
	tree := setup(t, []File{{"long", Pattern(3_800_000, 1)}}).Tree
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := tree.Open(ctx, "long", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on after the cancel: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing after the cancel: %v", err)
	}
	if _, err := read(ctx, tree, "long", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("opening after the cancel: %v", err)
	}
}

func refusesPaths(t *testing.T, setup func(*testing.T, []File) Fixture) {
	tree := setup(t, few()).Tree
	for _, path := range []string{"..", "../x", "a/../c", "/c", "/etc/passwd", "a//1", "a/", "./c"} {
		if _, err := tree.Stat(t.Context(), path); !errors.Is(err, datasets.ErrRefused) {
			t.Errorf("asking for %s: %v", path, err)
		}
		if _, err := read(t.Context(), tree, path, 0); !errors.Is(err, datasets.ErrRefused) {
			t.Errorf("opening %s: %v", path, err)
		}
		for _, err := range tree.List(t.Context(), path) {
			if !errors.Is(err, datasets.ErrRefused) {
				t.Errorf("listing %s: %v", path, err)
			}
		}
	}
}

func changes(t *testing.T, setup func(*testing.T, []File) Fixture) {
	f := setup(t, few())
	before, err := f.Tree.Stat(t.Context(), "a/1")
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range [][]byte{Pattern(100, 7), Pattern(99, 1), Pattern(101, 1), {}, Pattern(100, 1)} {
		f.Put(File{"a/1", b})
		after, err := f.Tree.Stat(t.Context(), "a/1")
		if err != nil || after.Size != int64(len(b)) {
			t.Errorf("change %d: %d bytes, %v", i, after.Size, err)
		}
		if after.Identity != "" && after.Identity == before.Identity {
			t.Errorf("change %d: the identity is %q as before", i, after.Identity)
		}
		if got, err := read(t.Context(), f.Tree, "a/1", 0); err != nil || !bytes.Equal(got, b) {
			t.Errorf("change %d: reading gives %d bytes, %v", i, len(got), err)
		}
		before = after
	}
	f.Remove("a/1")
	if _, err := f.Tree.Stat(t.Context(), "a/1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for what was removed: %v", err)
	}
	if _, err := read(t.Context(), f.Tree, "a/1", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening what was removed: %v", err)
	}
	if n := len(walk(t, f.Tree, "a")); n != 1 {
		t.Errorf("%d files are left of 2", n)
	}
}

// A file replaced while it is read is read in its old state, or not to its end.
func changesUnderAReader(t *testing.T, setup func(*testing.T, []File) Fixture) {
	old := Pattern(3_800_000, 1)
	for name, b := range map[string][]byte{"other": Pattern(len(old), 2), "shorter": Pattern(100, 3), "longer": Pattern(4_000_000, 4)} {
		f := setup(t, []File{{"x", old}})
		r, err := f.Tree.Open(t.Context(), "x", 0)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		f.Put(File{"x", b})
		rest, err := io.ReadAll(r)
		if got = append(got, rest...); err == nil && !bytes.Equal(got, old) {
			t.Errorf("%s bytes: a mixture of %d bytes is read to its end", name, len(got))
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s bytes: closing: %v", name, err)
		}
	}
}

func denied(t *testing.T, setup func(*testing.T, []File) Fixture) {
	f := setup(t, few())
	f.Deny("a/2")
	listed := walk(t, f.Tree, "a")
	if len(listed) != 2 || listed[1].Path != "a/2" {
		t.Errorf("listed: %+v", listed)
	}
	_, err := read(t.Context(), f.Tree, "a/2", 0)
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, datasets.ErrRefused) || errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
	if b, err := read(t.Context(), f.Tree, "a/1", 0); err != nil || len(b) != 100 {
		t.Errorf("the file beside it: %d bytes, %v", len(b), err)
	}
}

// moves opens the tree's URI like another process.
func moves(t *testing.T, setup func(*testing.T, []File) Fixture) {
	f := setup(t, awkward())
	again, err := f.Reopen(t.Context(), f.Tree.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.URI() != f.Tree.URI() {
		t.Errorf("%s becomes %s", f.Tree.URI(), again.URI())
	}
	paths := func(tree files.Tree) (out []string) {
		for _, info := range walk(t, tree, "") {
			out = append(out, info.Path)
		}
		return out
	}
	if one, two := paths(f.Tree), paths(again); !slices.Equal(one, two) {
		t.Errorf("the trees have %q and %q", one, two)
	}
}

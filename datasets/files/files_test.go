package files_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/files"
)

func TestCheckPath(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "a": "", "a/b c/..d": "", "...": "", "猫/\xff": "", `a\..\b`: "",
		"/": "absolute", "/etc/passwd": "absolute", "..": "element ..", "a/../b": "element ..", "a/..": "element ..",
		".": "a dot", "a//b": "empty", "a/": "empty", "./a": "a dot", "a\x00b": "zero byte",
	} {
		err := files.CheckPath(path)
		if want == "" && err != nil || want != "" && (!errors.Is(err, datasets.ErrRefused) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// Any names, listed as by HDFS or by plain bytes, come in key order.
func TestKeyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "b", "-", "0", "~", "é", "猫", "\u0080", "!"}
	for round := range 2000 {
		named := make(map[string]files.Info)
		for range random.IntN(12) {
			var name string
			for range 1 + random.IntN(4) {
				name += alphabet[random.IntN(len(alphabet))]
			}
			named[name] = files.Info{Path: name, Directory: random.IntN(2) == 0}
		}
		var listing []files.Info
		for _, info := range named {
			listing = append(listing, info)
		}
		want := slices.SortedFunc(slices.Values(listing), func(a, b files.Info) int { return strings.Compare(a.SortKey(), b.SortKey()) })
		slices.SortFunc(listing, func(a, b files.Info) int {
			if round%2 == 0 {
				return strings.Compare(a.Path, b.Path)
			}
			return slices.Compare(signed(a.Path), signed(b.Path))
		})
		var got []files.Info
		for info, err := range files.KeyOrder(yielding(listing, nil)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v becomes %v, want %v", listing, got, want)
		}
	}
}

func TestKeyOrderEnds(t *testing.T) {
	boom := errors.New("boom")
	var last error
	n := 0
	for _, err := range files.KeyOrder(yielding([]files.Info{{Path: "a"}, {Path: "b", Directory: true}}, boom)) {
		n, last = n+1, err
	}
	if n != 2 || !errors.Is(last, boom) {
		t.Errorf("%d elements, the last with %v", n, last)
	}
	for range files.KeyOrder(yielding([]files.Info{{Path: "a"}, {Path: "b"}}, boom)) {
		break
	}
}

// ASCII names are passed on at once, except directories.
func TestKeyOrderStreams(t *testing.T) {
	listed := 0
	endless := func(yield func(files.Info, error) bool) {
		for name := "a"; ; name += "a" {
			listed++
			if !yield(files.Info{Path: name}, nil) {
				return
			}
		}
	}
	n := 0
	for range files.KeyOrder(endless) {
		if n++; n == 100 {
			break
		}
	}
	if listed != 100 {
		t.Errorf("%d were listed to yield 100", listed)
	}
}

func signed(s string) []int8 {
	out := make([]int8, len(s))
	for i := range s {
		out[i] = int8(s[i])
	}
	return out
}

func yielding(infos []files.Info, end error) iter.Seq2[files.Info, error] {
	return func(yield func(files.Info, error) bool) {
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
		if end != nil {
			yield(files.Info{}, end)
		}
	}
}

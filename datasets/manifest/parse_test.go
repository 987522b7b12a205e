package manifest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

// With any bound, all rows come in order.
func TestSorter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var want []row
	for i := range 5000 {
		want = append(want, row{Path: fmt.Sprint(random.IntN(4000)), Label: fmt.Sprint("l", i%7), Group: fmt.Sprint(i % 100), Split: datasets.Test, Line: i + 1})
	}
	for _, limit := range []int{1 << 30, 100_000, 3_000, 1} {
		s := sorter{limit: limit}
		for _, r := range want[:min(len(want), 50*limit)] {
			if err := s.add(r); err != nil {
				t.Fatal(err)
			}
		}
		var got []row
		for r, err := range s.sorted() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		sorted := slices.Clone(want[:min(len(want), 50*limit)])
		slices.SortFunc(sorted, compareRows)
		if !slices.Equal(got, sorted) {
			t.Errorf("limit %d: %d rows of %d or others", limit, len(got), len(sorted))
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func fuzz(f *testing.F, parse parser) {
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		line := 0
		_, _ = parse(bytes.NewReader(b), func(r row) error {
			if r.Path == "" || r.Line <= line {
				t.Errorf("line %d after line %d has the path %q", r.Line, line, r.Path)
			}
			switch r.Split {
			case "", datasets.Train, datasets.Validation, datasets.Test:
			default:
				t.Errorf("split %q", r.Split)
			}
			line = r.Line
			return nil
		})
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("path,label,group,split\na,b,c,train\n"))
	f.Add([]byte("\xef\xbb\xbfpath,label\n\"a\nb\",c\r\n"))
	fuzz(f, parseCSV)
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"path":"a","label":3,"group":"g","split":"val"}` + "\n\n{}"))
	fuzz(f, parseJSON)
}

// Any path has few interpretations, no longer than itself.
func FuzzReadings(f *testing.F) {
	for _, s := range []string{`C:\\a\b.png`, " 'x%20y' ", "file:///a/../b", "caf\u00c3\u00a9", "%25%32%35", "\ufeff\"a\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, listed string) {
		defer fuzztest.Watch(t, len(listed))()
		all := readings(listed)
		for _, r := range all {
			if len(r.path) > len(listed) && r.path != path.Clean(listed) || len(all) > 32 {
				t.Errorf("%q is read as %d paths, such as %q", listed, len(all), r.path)
			}
		}
	})
}

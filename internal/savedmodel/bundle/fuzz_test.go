package bundle

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/fuzztest"
)

// FuzzReader reads every tensor of an arbitrary index and data file: it must
// neither panic nor use more memory than the files justify.
func FuzzReader(f *testing.F) {
	prefix := filepath.Join(f.TempDir(), "m")
	write(f, prefix, func(w *Writer) error {
		if err := w.Add("a/w", counting(3, 4)); err != nil {
			return err
		}
		if err := w.AddStrings(ObjectGraphKey, nil, [][]byte{[]byte("text")}); err != nil {
			return err
		}
		return w.Add("a/x", counting(2))
	})
	index, err := os.ReadFile(indexName(prefix))
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(shardName(prefix, 0, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index, data)
	f.Add(index[:40], data)
	f.Add(index, data[:20])
	f.Add(sliced(f), counting(4, 3).Data)
	f.Fuzz(func(t *testing.T, index, data []byte) {
		defer fuzztest.Watch(t, len(index)+len(data))()
		_, entries, err := readIndex(index)
		if err != nil {
			return
		}
		r := &Reader{prefix: "m", entries: entries, shards: []shard{{"m.data", bytes.NewReader(data), int64(len(data))}}}
		for _, key := range r.Keys() {
			if tensor, err := r.Tensor(key); err == nil {
				if size, err := bytesOf(tensor.DataType, tensor.Shape); err != nil || size != int64(len(tensor.Data)) {
					t.Fatalf("%q: %d bytes for shape %v", key, len(tensor.Data), tensor.Shape)
				}
			}
			r.Slice(key, "3 4 0,1:-")
			r.Strings(key)
		}
	})
}

// sliced returns an index whose only tensor, [4, 3], is stored in two slices.
func sliced(t testing.TB) []byte {
	prefix := filepath.Join(t.TempDir(), "sliced")
	w, err := Create(prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, s := range []slice{{{0, 1}, {0, whole}}, {{1, 3}, {0, whole}}} {
		resolved, err := s.resolve([]int64{4, 3})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(s.key("w"), counting(resolved.shape()...)); err != nil {
			t.Fatal(err)
		}
	}
	w.entries["w"] = entryOfSlices(types.DataType_DT_FLOAT, []int64{4, 3}, slice{{0, 1}, {0, whole}}, slice{{1, 3}, {0, whole}})
	index, err := w.index()
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func FuzzParseSlice(f *testing.F) {
	for _, s := range []string{"", "10 4 0,5:-", "3 1,2", "1 2 3", "- -", "2 2 0,1:1,9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		defer fuzztest.Watch(t, len(spec))()
		s, err := parseSlice(spec)
		if err != nil {
			return
		}
		shape := make([]int64, len(s))
		for i := range shape {
			shape[i] = 7
		}
		resolved, err := s.resolve(shape)
		if err != nil {
			return
		}
		for i, e := range resolved {
			if e.start < 0 || e.length < 0 || e.start+e.length > shape[i] {
				t.Fatalf("%q resolves to %v", spec, resolved)
			}
		}
	})
}

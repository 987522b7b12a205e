package tfrecord_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"testing"

	"github.com/wamuir/graft/tensorflow/core/example/example_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/datasets/shards/shardstest"
	"tkit/datasets/tfrecord"
	"tkit/internal/fuzztest"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// example is a tf.train.Example as the generated code writes it.
func example(t testing.TB, features map[string]any) []byte {
	t.Helper()
	all := make(map[string]*example_protos_go_proto.Feature)
	for name, value := range features {
		f := new(example_protos_go_proto.Feature)
		switch v := value.(type) {
		case string:
			f.Kind = texts([]byte(v))
		case []byte:
			f.Kind = texts(v)
		case int64:
			f.Kind = &example_protos_go_proto.Feature_Int64List{Int64List: &example_protos_go_proto.Int64List{Value: []int64{v}}}
		case []float32:
			f.Kind = &example_protos_go_proto.Feature_FloatList{FloatList: &example_protos_go_proto.FloatList{Value: v}}
		default:
			t.Fatalf("a feature of %T", v)
		}
		all[name] = f
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&example_protos_go_proto.Example{Features: &example_protos_go_proto.Features{Feature: all}})
	must(t, err)
	return b
}

func texts(b []byte) *example_protos_go_proto.Feature_BytesList {
	return &example_protos_go_proto.Feature_BytesList{BytesList: &example_protos_go_proto.BytesList{Value: [][]byte{b}}}
}

// FuzzExample compares the parser, which copies nothing, with protocol
// buffers' own: what those understand, it understands in the same way.
func FuzzExample(f *testing.F) {
	f.Add(example(f, map[string]any{"image": []byte("image"), "label": int64(3), "box": []float32{1, 2}, "name": "x"}))
	f.Add(example(f, map[string]any{"label": int64(-1)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		var e example_protos_go_proto.Example
		if proto.Unmarshal(b, &e) != nil {
			_, _, _ = tfrecord.Parse(b) // must not panic
			return
		}
		wantCounts, wantFirsts := make(map[string]int), make(map[string]string)
		for name, feature := range e.GetFeatures().GetFeature() {
			if name == "" {
				continue
			}
			switch {
			case feature.GetBytesList() != nil:
				wantCounts[name] = len(feature.GetBytesList().GetValue())
				if v := feature.GetBytesList().GetValue(); len(v) > 0 {
					wantFirsts[name] = string(v[0])
				}
			case feature.GetInt64List() != nil:
				wantCounts[name] = len(feature.GetInt64List().GetValue())
				if v := feature.GetInt64List().GetValue(); len(v) > 0 && v[0] >= 0 {
					wantFirsts[name] = fmt.Sprint(v[0])
				}
			case feature.GetFloatList() != nil:
				continue // only that there are some is of use
			}
		}
		counts, firsts, err := tfrecord.Parse(b)
		if err != nil {
			return // stricter about what nobody writes
		}
		for name, n := range wantCounts {
			if counts[name] != n || firsts[name] != wantFirsts[name] {
				t.Fatalf("%q: %d values, the first %q, want %d and %q", name, counts[name], firsts[name], n, wantFirsts[name])
			}
		}
		for name := range maps.Keys(firsts) {
			if e.GetFeatures().GetFeature()[name] == nil {
				t.Fatalf("%q is no feature", name)
			}
		}
	})
}

// FuzzShard reads damaged files.
func FuzzShard(f *testing.F) {
	f.Add([]byte{})
	f.Add(pack(f, []shardstest.File{{}, {}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		shardstest.Take(t, format, b, len(b))
	})
}

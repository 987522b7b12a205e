package tfrecord_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/wamuir/graft/tensorflow/core/example/example_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/datasets/shards"
	"tkit/datasets/shards/shardstest"
	"tkit/datasets/tfrecord"
	"tkit/internal/fuzztest"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// example encodes a tf.train.Example with the generated code.
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
		case []int64:
			f.Kind = &example_protos_go_proto.Feature_Int64List{Int64List: &example_protos_go_proto.Int64List{Value: v}}
		case []string:
			list := new(example_protos_go_proto.BytesList)
			for _, text := range v {
				list.Value = append(list.Value, []byte(text))
			}
			f.Kind = &example_protos_go_proto.Feature_BytesList{BytesList: list}
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

// FuzzExample compares the parser, which copies nothing, with protocol buffers'
// own: it parses the same messages in the same way.
func FuzzExample(f *testing.F) {
	f.Add(example(f, map[string]any{"image": []byte("image"), "label": int64(3), "box": []float32{1, 2}, "name": "x"}))
	f.Add(example(f, map[string]any{"label": int64(-1)}))
	f.Add(example(f, map[string]any{"label": []int64{0, 1, 0}, "soft": []float32{.5, .5}, "texts": []string{"a", "b"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		var e example_protos_go_proto.Example
		if proto.Unmarshal(b, &e) != nil {
			_, _, _ = tfrecord.Parse(b) // must not panic
			return
		}
		want := make(map[string]shards.Values)
		for name, feature := range e.GetFeatures().GetFeature() {
			var v shards.Values
			for _, text := range feature.GetBytesList().GetValue() {
				v.AddText(text)
			}
			for _, n := range feature.GetInt64List().GetValue() {
				v.AddInteger(n)
			}
			for _, n := range feature.GetFloatList().GetValue() {
				v.AddFloat(float64(n))
			}
			want[name] = v
		}
		values, texts, err := tfrecord.Parse(b)
		if err != nil {
			return // stricter about forms that no writer uses
		}
		for name, v := range want {
			if name != "" && fmt.Sprintf("%+v", values[name]) != fmt.Sprintf("%+v", v) || string(texts[name]) != string(values[name].FirstText()) {
				t.Fatalf("%q: %+v at %q, want %+v", name, values[name], texts[name], v)
			}
		}
		for name := range values {
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

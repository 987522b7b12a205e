package bundle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	bundlepb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
)

// TestHostileIndex reads small indexes that would take gigabytes, or be read
// many times.
func TestHostileIndex(t *testing.T) {
	header, err := proto.Marshal(&bundlepb.BundleHeaderProto{NumShards: 1})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(offset, size int64) []byte {
		b, err := proto.Marshal(&bundlepb.BundleEntryProto{Dtype: types.DataType_DT_UINT8, Shape: shapeProto([]int64{size}), Offset: offset, Size: size})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// shared returns an index in which n keys share a prefix.
	shared := func(n, length int) []byte {
		w := tableWriter{}
		w.add(nil, header)
		prefix := strings.Repeat("k", length)
		for i := range n {
			w.data.count = 1 // no further key is stored in full
			w.data.add(binary.BigEndian.AppendUint32([]byte(prefix), uint32(i)), nil)
		}
		return w.finish()
	}
	for name, c := range map[string]struct {
		index []byte
		says  string
	}{
		"a key of a megabyte":        {shared(20, 1<<20), "a key of 10"},
		"keys that share much":       {shared(200, maxKey-8), "its keys take more than 64 times"},
		"tensors in the same bytes":  {table(header, "a", entry(0, 8), "b", entry(7, 8)), `"a" and "b" share bytes`},
		"tensors one after another":  {table(header, "a", entry(0, 8), "b", entry(8, 8), "c", entry(8, 0)), ""},
		"a block that comes again":   {repeated(header, 1000), "damaged"},
		"a tensor of a million dims": {table(header, "a", manyDims(t)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			defer fuzztest.Watch(t, len(c.index))()
			_, entries, err := readIndex(c.index)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("%v, want an error that says %q", err, c.says)
			}
			r := &Reader{entries: entries, shards: []shard{{"d", bytes.NewReader(make([]byte, 16)), 16}}}
			if _, err := r.Tensor("a"); strings.Contains(name, "dims") && (err == nil || !strings.Contains(err.Error(), "rank")) {
				t.Errorf("%v, want an error about the rank", err)
			}
		})
	}
}

// table returns an index of alternating keys and values.
func table(header []byte, records ...any) []byte {
	w := tableWriter{}
	w.add(nil, header)
	for i := 0; i < len(records); i += 2 {
		w.add([]byte(records[i].(string)), records[i+1].([]byte))
	}
	return w.finish()
}

// repeated returns an index that lists its only block n times.
func repeated(header []byte, n int) []byte {
	w := tableWriter{}
	w.data.add(nil, header)
	w.data.last = nil
	h := w.write(&w.data)
	for i := range n {
		w.index.add(binary.BigEndian.AppendUint32(nil, uint32(i)), h.append(nil))
	}
	return w.finish()
}

func manyDims(t *testing.T) []byte {
	b, err := proto.Marshal(&bundlepb.BundleEntryProto{Dtype: types.DataType_DT_UINT8, Shape: shapeProto(make([]int64, 1000))})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestManySlices refuses a tensor with more slices than allowed.
func TestManySlices(t *testing.T) {
	var parts []slice
	for i := range int64(maxSlices + 1) {
		parts = append(parts, slice{{i, 1}})
	}
	r := &Reader{entries: map[string]*bundlepb.BundleEntryProto{"w": entryOfSlices(types.DataType_DT_FLOAT, []int64{maxSlices + 1}, parts...)}}
	if _, err := r.Tensor("w"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in %d slices", maxSlices+1)) {
		t.Errorf("%v", err)
	}
}

// TestFiles checks that irregular and oversized files are refused without
// blocking.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "m.index"), filepath.Join(dir, "large")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "m")); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := ReadFile(large, 10); err == nil || !strings.Contains(err.Error(), "11 bytes, more than the allowed 10") {
		t.Errorf("a large file: %v", err)
	}
	if b, err := ReadFile(large, 11); err != nil || len(b) != 11 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

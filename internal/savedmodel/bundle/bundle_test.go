package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/savedmodel/savedmodeltest"
)

// counting returns a float32 tensor that holds 0, 1, 2, ...
func counting(shape ...int64) Tensor {
	t := Tensor{DataType: types.DataType_DT_FLOAT, Shape: shape, Data: []byte{}}
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	for i := range n {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(i)))
	}
	return t
}

func write(t testing.TB, prefix string, add func(w *Writer) error) {
	t.Helper()
	w, err := Create(prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := add(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, prefix string) *Reader {
	t.Helper()
	r, err := Open(prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestWithTensorFlow reads the Writer's output with Python's TensorFlow, and
// TensorFlow's with the Reader.
func TestWithTensorFlow(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ours"), func(w *Writer) error {
		half := Tensor{DataType: types.DataType_DT_BFLOAT16, Shape: []int64{5}}
		for i := range 5 {
			half.Data = binary.LittleEndian.AppendUint16(half.Data, uint16(math.Float32bits(float32(i))>>16))
		}
		for _, err := range []error{
			w.Add("half", half), // out of order: the index sorts
			w.Add("a/float", counting(3, 4)),
			w.Add("scalar", Tensor{DataType: types.DataType_DT_INT64, Data: make([]byte, 8)}),
			w.AddStrings("strings", []int64{2, 2}, [][]byte{[]byte("one"), nil, []byte("a\x00b"), bytes.Repeat([]byte("x"), 300)}),
		} {
			if err != nil {
				return err
			}
		}
		for i := range 2000 { // several blocks of index
			one := Tensor{DataType: types.DataType_DT_INT32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, uint32(i))}
			if err := w.Add(fmt.Sprintf("many/%04d", i), one); err != nil {
				return err
			}
		}
		return nil
	})
	savedmodeltest.RunPython(t, "testdata/checkpoints.py", dir)

	t.Run("whole", func(t *testing.T) {
		r := open(t, filepath.Join(dir, "whole"))
		if n := len(r.Keys()); n != 5014 {
			t.Errorf("%d keys", n)
		}
		for name, elements := range map[string][]byte{
			"type/uint8": {0, 1, 2, 3, 4, 5}, "type/int8": {0, 1, 2, 3, 4, 5}, "type/bool": {0, 1, 1, 1, 1, 1},
			"type/int16": {0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0}, "type/float32": counting(2, 3).Data,
			"type/float16":  {0, 0, 0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45},
			"type/bfloat16": {0, 0, 0x80, 0x3f, 0, 0x40, 0x40, 0x40, 0x80, 0x40, 0xa0, 0x40},
		} {
			got, err := r.Tensor(name)
			if err != nil || !slices.Equal(got.Shape, []int64{2, 3}) || !bytes.Equal(got.Data, elements) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		for _, name := range []string{"type/float64", "type/int32", "type/int64", "type/complex64"} {
			if _, err := r.Tensor(name); err != nil {
				t.Error(err)
			}
		}
		if empty, err := r.Tensor("empty"); err != nil || !slices.Equal(empty.Shape, []int64{0, 4}) {
			t.Errorf("%v, %v", empty, err)
		}
		if last, err := r.Tensor("many/04999"); err != nil || math.Float32frombits(binary.LittleEndian.Uint32(last.Data)) != 4999 {
			t.Errorf("%v, %v", last, err)
		}
		strs, err := r.Strings("strings")
		if err != nil || len(strs) != 3 || string(strs[1]) != "a\x00b" || len(strs[2]) != 300 {
			t.Errorf("%q, %v", strs, err)
		}
	})

	t.Run("sliced", func(t *testing.T) {
		r := open(t, filepath.Join(dir, "sliced"))
		if got := r.Keys(); !slices.Equal(got, []string{"plain", "w\u00ff"}) {
			t.Errorf("keys %q", got)
		}
		got, err := r.Tensor("w\u00ff")
		if err != nil || !bytes.Equal(got.Data, counting(70, 300).Data) {
			t.Errorf("%v, %v", got.Shape, err)
		}
		part, err := r.Slice("w\u00ff", "70 300 4,2:298,2")
		if err != nil || !slices.Equal(part.Shape, []int64{2, 2}) {
			t.Fatalf("%v, %v", part.Shape, err)
		}
		for i, want := range []float32{1498, 1499, 1798, 1799} {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(part.Data[4*i:])); v != want {
				t.Errorf("element %d of the slice is %g, want %g", i, v, want)
			}
		}
	})

	t.Run("merged", func(t *testing.T) {
		r := open(t, filepath.Join(dir, "merged"))
		first, err := r.Tensor("first")
		if err != nil || !bytes.Equal(first.Data, counting(6).Data) {
			t.Errorf("%v, %v", first, err)
		}
		if second, err := r.Tensor("second"); err != nil || !slices.Equal(second.Shape, []int64{3, 2}) {
			t.Errorf("%v, %v", second, err)
		}
		if len(r.shards) != 2 {
			t.Errorf("%d data files", len(r.shards))
		}
	})
}

func TestDamage(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	for name, c := range map[string]struct {
		file   string
		damage func([]byte) []byte
		says   string
	}{
		"index gone":             {"m.index", nil, "m.index"},
		"index empty":            {"m.index", cut(0), "m.index: the index is damaged or cut short"},
		"index cut":              {"m.index", cut(60), "m.index: not a checkpoint index"},
		"magic number":           {"m.index", flip(-1), "m.index: not a checkpoint index"},
		"index bit":              {"m.index", flip(3), "m.index: wrong checksum of the block at byte 0"},
		"compression":            {"m.index", compressed, "m.index: the index is compressed by snappy"},
		"data gone":              {"m.data-00000-of-00001", nil, "m.data-00000-of-00001: no such file"},
		"data cut":               {"m.data-00000-of-00001", cut(20), "m.data-00000-of-00001 is cut short: it has 20 bytes, but bytes 0 to 48"},
		"data bit":               {"m.data-00000-of-00001", flip(7), "wrong checksum in"},
		"bit of a string":        {"m.data-00000-of-00001", flip(-1), "m.data-00000-of-00001 is damaged at byte 48"},
		"bit of a string length": {"m.data-00000-of-00001", flip(48), "m.data-00000-of-00001 is damaged at byte 48"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := filepath.Join(t.TempDir(), "m")
			write(t, prefix, func(w *Writer) error {
				if err := w.Add("w", counting(3, 4)); err != nil {
					return err
				}
				return w.AddStrings("s", nil, [][]byte{[]byte("text")})
			})
			path := filepath.Join(filepath.Dir(prefix), c.file)
			if c.damage == nil {
				os.Remove(path)
			} else {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.damage(b), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := func() error {
				r, err := Open(prefix)
				if err != nil {
					return err
				}
				defer r.Close()
				if _, err := r.Tensor("w"); err != nil {
					return err
				}
				_, err = r.Strings("s")
				return err
			}()
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

// compressed marks the index's first block as compressed by snappy and corrects
// its checksum.
func compressed(b []byte) []byte {
	_, rest, _ := readHandle(b[len(b)-footerSize:])
	index, _, _ := readHandle(rest)
	for r := range readBlock(bytes.Clone(b), index) {
		h, _, _ := readHandle(r.value)
		end := h.offset + h.size
		b[end] = snappy
		binary.LittleEndian.PutUint32(b[end+1:], mask(crc32.Checksum(b[h.offset:end+1], castagnoli)))
		break
	}
	return b
}

func TestWriterRefuses(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "m"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add("w", counting(2)); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a key twice":     w.Add("w", counting(2)),
		"the header key":  w.Add("", counting(2)),
		"too few bytes":   w.Add("x", Tensor{DataType: types.DataType_DT_FLOAT, Shape: []int64{3}, Data: make([]byte, 8)}),
		"a negative size": w.Add("x", Tensor{DataType: types.DataType_DT_FLOAT, Shape: []int64{-1}}),
		"a resource":      w.Add("x", Tensor{DataType: types.DataType_DT_RESOURCE}),
		"too few strings": w.AddStrings("x", []int64{2}, [][]byte{nil}),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestUnfinishedIsNoCheckpoint(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "m")
	w, err := Create(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("w", counting(2)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(prefix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened: %v", err)
	}
}

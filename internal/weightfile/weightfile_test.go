package weightfile_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/internal/tensorflow"
	"tkit/internal/weightfile"
)

// testdata/write.py writes the files as their formats are described.
func TestOpen(t *testing.T) {
	for _, name := range []string{"legacy.pth", "zip.pth", "checkpoint.pth"} {
		t.Run(name, func(t *testing.T) {
			f := open(t, name)
			if f.Format != "pytorch" || len(f.Tensors) != 4 {
				t.Fatalf("format %s with %d tensors", f.Format, len(f.Tensors))
			}
			check(t, f, "conv.weight", tensorflow.Float32, []int64{2, 3}, 0, 1, 2, 3, 4, 5)
			check(t, f, "fc.weight", tensorflow.Float32, []int64{2, 3}, 6, 8, 10, 7, 9, 11)
			check(t, f, "bn.num_batches_tracked", tensorflow.Int64, []int64{})
			half := f.Tensors["bn.running_mean"]
			raw, err := half.Bytes()
			if err != nil || half.Type != tensorflow.Float16 || !bytes.Equal(raw, []byte{0, 0, 0, 0x3c, 0, 0x40}) {
				t.Errorf("half: %s %x, %v", half.Type, raw, err)
			}
		})
	}
	f := open(t, "fc.safetensors")
	if f.Format != "safetensors" || len(f.Tensors) != 2 {
		t.Fatalf("format %s with %d tensors", f.Format, len(f.Tensors))
	}
	check(t, f, "fc.weight", tensorflow.Float32, []int64{2, 3}, 0, 1, 2, 3, 4, 5)
	check(t, f, "fc.bias", tensorflow.BFloat16, []int64{2})
}

func open(t *testing.T, name string) *weightfile.File {
	t.Helper()
	f, err := weightfile.Open(t.Context(), filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func check(t *testing.T, f *weightfile.File, name string, dt tensorflow.DataType, shape []int64, want ...float32) {
	t.Helper()
	tensor := f.Tensors[name]
	if tensor == nil || tensor.Type != dt || !slices.Equal(tensor.Shape, shape) {
		t.Errorf("%s is %+v", name, tensor)
		return
	}
	raw, err := tensor.Bytes()
	if err != nil {
		t.Error(err)
	}
	for i, v := range want {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != v {
			t.Errorf("%s: value %d is %g, want %g", name, i, got, v)
		}
	}
}

// A pickle can call anything of Python's. Here it calls nothing.
func TestExecutesNothing(t *testing.T) {
	_, err := weightfile.Open(t.Context(), "testdata/evil.pth")
	if err == nil || !strings.Contains(err.Error(), `"posix.system"`) {
		t.Errorf("error %v, want one that names posix.system", err)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	damaged := func(name, of string, change func([]byte) []byte) string {
		b, err := os.ReadFile(filepath.Join("testdata", of))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) }
	}
	for path, want := range map[string]string{
		"testdata/module.pth": "several state dictionaries",
		"testdata/write.py":   weightfile.ErrFormat.Error(),
		dir:                   "not a file",
		damaged("short.pth", "legacy.pth", func(b []byte) []byte { return b[:len(b)-1] }):             "unexpected EOF",
		damaged("long.pth", "legacy.pth", func(b []byte) []byte { return append(b, 0) }):              "1 bytes stand behind",
		damaged("cut.pth", "legacy.pth", func(b []byte) []byte { return b[:200] }):                    "unexpected EOF",
		damaged("big.pth", "legacy.pth", replace("little_endianq\x02\x88", "little_endianq\x02\x89")): "big-endian",
		damaged("shape.safetensors", "fc.safetensors", replace("[2, 3]", "[2, 9]")):                   "larger than its storage",
		damaged("gap.safetensors", "fc.safetensors", replace("[24, 28]", "[23, 27]")):                 "begins at byte 23",
		damaged("type.safetensors", "fc.safetensors", replace("BF16", "F8_1")):                        "not supported",
		damaged("twice.safetensors", "fc.safetensors", replace("fc.bias\": ", "fc.weight\":")):        "",
		damaged("name.safetensors", "fc.safetensors", replace("fc.bias", "fc.biaz")):                  "none",
	} {
		f, err := weightfile.Open(t.Context(), path)
		if want == "none" {
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			f.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := weightfile.Open(ctx, "testdata/legacy.pth"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"legacy.pth", "zip.pth", "checkpoint.pth", "evil.pth", "fc.safetensors"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		file, err := weightfile.Read(t.Context(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for name, tensor := range file.Tensors {
			if raw, err := tensor.Bytes(); err == nil && int64(len(raw)) != tensor.Elements()*int64(tensor.Type.Size()) {
				t.Errorf("%s has %d bytes", name, len(raw))
			}
			break // all of them may be as large as the file
		}
	})
}

package tensorflow_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
	"unsafe"

	"tkit/internal/tensorflow"
)

func TestTensorKeepsItsElements(t *testing.T) {
	f, err := tensorflow.FromFloat32([]int64{2, 2}, []float32{1, -2, 3.5, 0})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.DataType() != tensorflow.Float32 || !slices.Equal(f.Shape(), []int64{2, 2}) || f.Len() != 4 {
		t.Errorf("tensor is %v", f)
	}
	if !slices.Equal(f.Float32(), []float32{1, -2, 3.5, 0}) {
		t.Errorf("elements %v", f.Float32())
	}
	if uintptr(unsafe.Pointer(&f.Bytes()[0]))%64 != 0 {
		t.Error("memory is not aligned to 64 bytes")
	}
	f.Float32()[3] = 9
	if f.Float32()[3] != 9 {
		t.Error("a view is not the tensor's own memory")
	}

	i, err := tensorflow.FromBytes(tensorflow.Int32, []int64{3}, []byte{1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if !slices.Equal(i.Int32(), []int32{1, -2, math.MaxInt32}) {
		t.Errorf("int32 %v", i.Int32())
	}
	u, err := tensorflow.FromUint8([]int64{0, 7}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if len(u.Uint8()) != 0 || u.Len() != 0 {
		t.Errorf("an empty tensor has %v", u.Uint8())
	}
	s, err := tensorflow.NewTensor(tensorflow.Int64)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Len() != 1 || len(s.Bytes()) != 8 {
		t.Errorf("a scalar has %d elements, %d bytes", s.Len(), len(s.Bytes()))
	}
}

func TestTensorRefusals(t *testing.T) {
	for name, make := range map[string]func() (*tensorflow.Tensor, error){
		"negative":  func() (*tensorflow.Tensor, error) { return tensorflow.NewTensor(tensorflow.Float32, 2, -1) },
		"too large": func() (*tensorflow.Tensor, error) { return tensorflow.NewTensor(tensorflow.Float32, 1<<31, 1<<31) },
		"overflow":  func() (*tensorflow.Tensor, error) { return tensorflow.NewTensor(tensorflow.Int64, math.MaxInt64) },
		"string":    func() (*tensorflow.Tensor, error) { return tensorflow.NewTensor(tensorflow.String, 1) },
		"unknown":   func() (*tensorflow.Tensor, error) { return tensorflow.NewTensor(99, 1) },
		"bytes": func() (*tensorflow.Tensor, error) {
			return tensorflow.FromBytes(tensorflow.Int32, []int64{1}, []byte{1})
		},
		"elements": func() (*tensorflow.Tensor, error) { return tensorflow.FromFloat32([]int64{3}, []float32{1}) },
		"strings":  func() (*tensorflow.Tensor, error) { return tensorflow.FromStrings([]int64{2}, [][]byte{nil}) },
	} {
		if _, err := make(); code(err) != tensorflow.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClosedTensorAndWrongViewPanic(t *testing.T) {
	x, err := tensorflow.FromFloat32([]int64{1}, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s did not panic", what)
			}
		}()
		f()
	}
	panics("an int32 view of float32", func() { x.Int32() })
	x.Close()
	x.Close()
	panics("a view of a closed tensor", func() { x.Float32() })
	(*tensorflow.Tensor)(nil).Close()
}

func TestStrings(t *testing.T) {
	long := bytes.Repeat([]byte("long enough not to be kept in place "), 1000)
	for _, v := range [][][]byte{
		{},
		{[]byte("one")},
		{long},
		{[]byte(""), []byte("short"), []byte("with\x00zero"), long, []byte("é")},
	} {
		x, err := tensorflow.FromStrings([]int64{int64(len(v))}, v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Strings()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, v, bytes.Equal) {
			t.Errorf("%d strings came back changed", len(v))
		}
		// Also through the runtime, which shares the buffer and outlives the
		// Close.
		st := step(t, open(t, affine, tensorflow.Config{}), "anything", "through")
		out, err := st.Run(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		if got, err := out[0].Strings(); err != nil || !slices.EqualFunc(got, v, bytes.Equal) {
			t.Errorf("%d strings came through changed: %v", len(v), err)
		}
		out[0].Close()
		if _, err := x.Strings(); !errors.Is(err, tensorflow.ErrClosed) {
			t.Errorf("strings of a closed tensor: %v", err)
		}
	}
	x, _ := tensorflow.NewTensor(tensorflow.Int32, 1)
	defer x.Close()
	if _, err := x.Strings(); code(err) != tensorflow.InvalidArgument {
		t.Errorf("strings of an int32: %v", err)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		tensorflow.Float32.String():         "float32",
		tensorflow.BFloat16.String():        "bfloat16",
		tensorflow.DataType(77).String():    "DataType(77)",
		tensorflow.InvalidArgument.String(): "INVALID_ARGUMENT",
		tensorflow.Unauthenticated.String(): "UNAUTHENTICATED",
		tensorflow.Code(99).String():        "CODE_99",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

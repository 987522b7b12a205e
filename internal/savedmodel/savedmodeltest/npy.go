package savedmodeltest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An Array is a float32 array in row-major order.
type Array struct {
	Shape  []int64
	Values []float32
}

// Example returns the example inputs that export_keras stored beside a model
// and Keras's outputs.
func Example(t testing.TB, dir string) (input, output Array) {
	t.Helper()
	return ReadArray(t, filepath.Join(dir, "assets.extra", "input.npy")),
		ReadArray(t, filepath.Join(dir, "assets.extra", "output.npy"))
}

var header = regexp.MustCompile(`^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \}`)

// ReadArray reads a float32 array written by numpy.save.
func ReadArray(t testing.TB, path string) Array {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 10 || string(b[:8]) != "\x93NUMPY\x01\x00" {
		t.Fatalf("%s is not an .npy file of version 1", path)
	}
	size := int(binary.LittleEndian.Uint16(b[8:]))
	m := header.FindSubmatch(b[10 : 10+size])
	if m == nil {
		t.Fatalf("%s does not contain a float32 array: %q", path, b[10:10+size])
	}
	var a Array
	count := int64(1)
	for _, field := range strings.FieldsFunc(string(m[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		a.Shape = append(a.Shape, d)
		count *= d
	}
	data := b[10+size:]
	if int64(len(data)) != 4*count {
		t.Fatalf("%s: %d bytes for shape %v", path, len(data), a.Shape)
	}
	a.Values = make([]float32, count)
	for i := range a.Values {
		a.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return a
}

// WriteArray writes a file for numpy.load.
func WriteArray(t testing.TB, path string, a Array) {
	t.Helper()
	var shape strings.Builder
	for _, d := range a.Shape {
		fmt.Fprintf(&shape, "%d,", d)
	}
	h := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape.String())
	h += strings.Repeat(" ", 63-(10+len(h))%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
	b = append(b, h...)
	for _, v := range a.Values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

package pytorch_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tkit/internal/weightfile"
)

// A pickle is written as Python's pickle of protocol 2 does, without references to
// earlier objects.
type pickle struct{ bytes.Buffer }

func (p *pickle) global(module, name string) { p.WriteString("c" + module + "\n" + name + "\n") }

func (p *pickle) text(s string) {
	p.WriteByte('X')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

func (p *pickle) integer(n int64) {
	p.WriteByte('J')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func (p *pickle) integers(all []int64) {
	p.WriteByte('(')
	for _, n := range all {
		p.integer(n)
	}
	p.WriteByte('t')
}

func (p *pickle) orderedDict() {
	p.global("collections", "OrderedDict")
	p.WriteString(")R")
}

// A stored tensor is one of a state dictionary, with the contents of its storage.
type stored struct {
	name     string
	shape    []int64
	contents []byte
}

func storedTensors(shapes map[string][]int64) []stored {
	var all []stored
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		all = append(all, stored{name, shapes[name], contents(name, shapes[name])})
	}
	return all
}

func (s stored) kind() (class string, elements int64) {
	if strings.HasSuffix(s.name, "num_batches_tracked") {
		return "LongStorage", int64(len(s.contents) / 8)
	}
	return "FloatStorage", int64(len(s.contents) / 4)
}

// stateDict is the pickle of a state dictionary. The key of a storage is its
// position.
func stateDict(all []stored, legacy bool) []byte {
	p := new(pickle)
	p.WriteString("\x80\x02")
	p.orderedDict()
	p.WriteByte('(')
	for i, s := range all {
		class, elements := s.kind()
		p.text(s.name)
		p.global("torch._utils", "_rebuild_tensor_v2")
		p.WriteString("((")
		p.text("storage")
		p.global("torch", class)
		p.text(strconv.Itoa(i))
		p.text("cpu")
		p.integer(elements)
		if legacy {
			p.WriteByte('N')
		}
		p.WriteString("tQ")
		p.integer(0)
		p.integers(s.shape)
		strides := make([]int64, len(s.shape))
		step := int64(1)
		for d := len(strides) - 1; d >= 0; d-- {
			strides[d], step = step, step*s.shape[d]
		}
		p.integers(strides)
		p.WriteByte('\x89') // requires_grad: False
		p.orderedDict()
		p.WriteString("tR")
	}
	p.WriteString("u.")
	return p.Bytes()
}

// legacyFile is what torch.save wrote before version 1.6.
func legacyFile(t *testing.T, all []stored) *weightfile.File {
	t.Helper()
	whole := new(pickle)
	whole.WriteString("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") // the magic number
	whole.WriteString("\x80\x02")
	whole.integer(1001)              // the version
	whole.WriteString(".\x80\x02}.") // the machine
	whole.Write(stateDict(all, true))
	whole.WriteString("\x80\x02](")
	for i := range all {
		whole.text(strconv.Itoa(i))
	}
	whole.WriteString("e.")
	for _, s := range all {
		_, elements := s.kind()
		whole.Write(binary.LittleEndian.AppendUint64(nil, uint64(elements)))
		whole.Write(s.contents)
	}
	return read(t, whole.Bytes())
}

// zipFile is what torch.save writes.
func zipFile(t *testing.T, all []stored) *weightfile.File {
	t.Helper()
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	write := func(name string, contents []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(contents); err != nil {
			t.Fatal(err)
		}
	}
	write("data.pkl", stateDict(all, false))
	write("byteorder", []byte("little"))
	for i, s := range all {
		write("data/"+strconv.Itoa(i), s.contents)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, whole.Bytes())
}

func read(t *testing.T, whole []byte) *weightfile.File {
	t.Helper()
	f, err := weightfile.Read(t.Context(), bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

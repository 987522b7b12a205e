package weightfile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"tkit/internal/tensorflow"
)

// maxHeader bounds the header of safetensors, in bytes, as their own library does.
const maxHeader = 100 << 20

// safeTypes are the names of safetensors for types that TensorFlow has.
var safeTypes = map[string]tensorflow.DataType{
	"F32": tensorflow.Float32, "F64": tensorflow.Float64, "F16": tensorflow.Float16, "BF16": tensorflow.BFloat16,
	"I64": tensorflow.Int64, "I32": tensorflow.Int32, "I16": tensorflow.Int16, "I8": tensorflow.Int8,
	"U64": tensorflow.Uint64, "U32": tensorflow.Uint32, "U16": tensorflow.Uint16, "U8": tensorflow.Uint8, "BOOL": tensorflow.Bool,
}

// A safeEntry is a tensor in the header.
type safeEntry struct {
	Type    string    `json:"dtype"`
	Shape   []int64   `json:"shape"`
	Offsets *[2]int64 `json:"data_offsets"`
}

// readSafetensors reads the header: its length in 8 bytes, then JSON, then the
// elements without a gap between them.
func readSafetensors(_ context.Context, r io.ReaderAt, size int64) (map[string]*Tensor, error) {
	var length [8]byte
	if err := readFull(r, length[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors: a header of %d bytes in a file of %d", n, size)
	}
	text := make([]byte, n)
	if err := readFull(r, text, 8); err != nil {
		return nil, err
	}
	entries, err := decodeHeader(text)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	data := io.NewSectionReader(r, 8+int64(n), size-8-int64(n))
	tensors := make(map[string]*Tensor, len(entries))
	type part struct {
		name       string
		begin, end int64
	}
	var parts []part
	for name, e := range entries {
		t, err := e.tensor(data)
		if err != nil {
			return nil, fmt.Errorf("safetensors: tensor %.100q: %w", name, err)
		}
		tensors[name] = t
		parts = append(parts, part{name, e.Offsets[0], e.Offsets[1]})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) })
	var end int64
	for _, p := range parts {
		if p.begin != end {
			return nil, fmt.Errorf("safetensors: tensor %.100q begins at byte %d, where the one before ends at %d", p.name, p.begin, end)
		}
		end = p.end
	}
	if end != data.Size() {
		return nil, fmt.Errorf("safetensors: the tensors take %d bytes of %d", end, data.Size())
	}
	return tensors, nil
}

// decodeHeader decodes the JSON, of which a name may appear once.
func decodeHeader(text []byte) (map[string]safeEntry, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("the header is not a JSON object")
	}
	entries := map[string]safeEntry{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if name == "__metadata__" {
			var metadata map[string]string
			if err := d.Decode(&metadata); err != nil {
				return nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		var e safeEntry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", name, err)
		}
		if _, twice := entries[name.(string)]; twice {
			return nil, fmt.Errorf("tensor %.100q appears twice", name)
		}
		if entries[name.(string)] = e; len(entries) > most {
			return nil, fmt.Errorf("more than %d tensors", most)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the header goes on behind its JSON object")
	}
	return entries, nil
}

func (e safeEntry) tensor(data *io.SectionReader) (*Tensor, error) {
	dt, ok := safeTypes[e.Type]
	if !ok {
		return nil, fmt.Errorf("the type %.20q is not supported", e.Type)
	}
	if e.Offsets == nil || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > data.Size() {
		return nil, errors.New("its bytes are not in the file")
	}
	size := e.Offsets[1] - e.Offsets[0]
	t := &Tensor{Type: dt, Shape: e.Shape, strides: rowMajor(e.Shape), data: io.NewSectionReader(data, e.Offsets[0], size)}
	if err := t.check(size / int64(dt.Size())); err != nil {
		return nil, err
	}
	if t.Elements()*int64(dt.Size()) != size {
		return nil, fmt.Errorf("%s %v in %d bytes", dt, e.Shape, size)
	}
	return t, nil
}

// rowMajor are the strides of a shape whose elements lie one behind the other.
func rowMajor(shape []int64) []int64 {
	strides := make([]int64, len(shape))
	next := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = next
		if shape[i] > 0 && next < 1<<40 {
			next *= shape[i]
		}
	}
	return strides
}

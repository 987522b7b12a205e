package network

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
	"tkit/internal/tensorflow"
)

func encode(t testing.TB, n *Network) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := n.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// equal compares the exported fields of networks.
func equal(t *testing.T, got, want *Network) {
	t.Helper()
	if !proto.Equal(got.Graph, want.Graph) {
		t.Error("graphs differ")
	}
	if !bytes.Equal(encode(t, got), encode(t, want)) {
		t.Error("files differ")
	}
	for _, w := range want.Weights {
		v := got.Weight(w.Name)
		if v == nil || !bytes.Equal(v.Data, w.Data) || v.Trainable != w.Trainable {
			t.Errorf("weight %q differs", w.Name)
		}
	}
}

func TestEncode(t *testing.T) {
	n := residual()
	n.Inputs[0].Shape = nil
	n.Weights[1].Trainable = false
	b := encode(t, n)
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, m, n)
	if m.Inputs[0].Shape != nil {
		t.Errorf("an unknown rank became %v", m.Inputs[0].Shape)
	}
	for _, w := range m.Weights {
		at := bytes.Index(b, w.Data)
		if at%alignment != 0 && len(w.Data) > 4 {
			t.Errorf("weight %q lies at %d", w.Name, at)
		}
	}
	sum := sha256.Sum256(b)
	if digest, err := m.Digest(); err != nil || digest != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s, %v", digest, err)
	}
}

// Scalars, empty arrays and all types survive encoding.
func TestEncodeWeights(t *testing.T) {
	b := newBuilder()
	n := b.network(b.op("Relu", "y", nil, b.input(-1, 2)))
	for i, w := range []*Weight{
		{Name: "bfloat16", DataType: tensorflow.BFloat16, Shape: []int64{3}, Data: make([]byte, 6)},
		{Name: "bool", DataType: tensorflow.Bool, Shape: []int64{1, 1}, Data: []byte{1}},
		{Name: "empty", DataType: tensorflow.Float32, Shape: []int64{0, 1 << 60, 1 << 60}, Data: []byte{}},
		{Name: "scalar", DataType: tensorflow.Int64, Shape: []int64{}, Data: make([]byte, 8)},
	} {
		handle, read := WeightNodes(w)
		n.Graph.Node = append(n.Graph.Node, handle, read)
		n.Weights = append(n.Weights, w)
		m, err := Decode(encode(t, n))
		if err != nil {
			t.Fatal(err)
		}
		if v := m.Weights[i]; v.DataType != w.DataType || len(v.Shape) != len(w.Shape) || v.Shape == nil {
			t.Errorf("%+v became %+v", w, v)
		}
	}
}

func TestEncodeFailures(t *testing.T) {
	invalid := residual()
	invalid.Weights[0].Data = nil
	if err := invalid.Encode(io.Discard); err == nil {
		t.Error("an invalid network was written")
	}
	if _, err := invalid.Digest(); err == nil {
		t.Error("an invalid network has a digest")
	}
	if err := residual().Encode(failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a failing writer: got %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestDecodeFaults(t *testing.T) {
	good := encode(t, residual())
	length := func(at int, v uint64) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint64(b[at:], v)
		return b
	}
	replace := func(old, new string) []byte {
		if len(old) != len(new) || !bytes.Contains(good, []byte(old)) {
			t.Fatalf("%q does not fit", old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	headerEnd := preamble + int(binary.LittleEndian.Uint64(good[8:]))
	graphEnd := headerEnd + int(binary.LittleEndian.Uint64(good[16:]))
	padded := bytes.Clone(good)
	if padding(graphEnd) == 0 {
		t.Fatal("the example has no padding to break")
	}
	padded[graphEnd] = 1
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "begin"},
		{"another file", []byte(strings.Repeat("PK\x03\x04", 20)), "begin"},
		{"only the magic", []byte(magic), "begin"},
		{"a newer version", replace("tkitnet1", "tkitnet2"), "begin"},
		{"a long header", length(8, 1<<40), "do not fit"},
		{"a header of all bits", length(8, math.MaxUint64), "do not fit"},
		{"a long graph", length(16, uint64(len(good))), "do not fit"},
		{"a graph of all bits", length(16, math.MaxUint64), "do not fit"},
		{"a short header", length(8, 10), "header"},
		{"a header with spaces", replace(`"inputs":[`, `"inputs" :`), "header"},
		{"a header with an unknown field", replace(`"trainable":true`, `"trainablo":true`), "canonical"},
		{"a header in capitals", replace(`"outputs"`, `"OUTPUTS"`), "canonical"},
		{"a type that there is not", replace(`"type":1,`, `"type":9,`), ""},
		{"another shape", replace(`"shape":[5]`, `"shape":[9]`), ""},
		{"a negative shape", replace(`"shape":[8,5]`, `"shape":[-40]`), "unknown dimension"},
		{"padding that is not zero", padded, "not zero"},
		{"more bytes", append(bytes.Clone(good), 0), "follow"},
		{"a graph that is no graph", append(append(bytes.Clone(good[:headerEnd]), bytes.Repeat([]byte{0xff}, graphEnd-headerEnd)...), good[graphEnd:]...), "graph"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Decode(tt.b)
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, %v, want an error with %q", n, err, tt.want)
			}
		})
	}
	for cut := 0; cut < len(good); cut += 13 {
		if n, err := Decode(good[:cut]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut after %d of %d bytes: got %v, %v", cut, len(good), n, err)
		}
	}
}

// A flipped byte is refused or changes the digest.
func TestDecodeFlipped(t *testing.T) {
	good := encode(t, residual())
	for at := 0; at < len(good); at += 17 {
		b := bytes.Clone(good)
		b[at] ^= 0x10
		n, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: %v is no ErrFormat", at, err)
			}
			continue
		}
		if bytes.Equal(encode(t, n), good) {
			t.Fatalf("byte %d makes no difference", at)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good := encode(f, residual())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(magic))
	folded, err := residual().Fold(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(f, folded))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		n, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		again, err := Decode(encode(t, n))
		if err != nil {
			t.Fatalf("what was read cannot be written and read: %v", err)
		}
		if !bytes.Equal(encode(t, n), encode(t, again)) {
			t.Fatal("writing is not stable")
		}
		n.places()
		if _, err := n.Prune(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOpen(t *testing.T) {
	n := residual()
	path := filepath.Join(t.TempDir(), "network")
	if err := os.WriteFile(path, encode(t, n), 0o600); err != nil {
		t.Fatal(err)
	}
	x := example(t, n)
	want := run(t, n, x)

	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, opened, n)
	trunk, rest, err := opened.Cut("block_out", PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := Join(trunk, rest)
	if err != nil {
		t.Fatal(err)
	}
	// Networks derived from an opened network outlive it.
	for _, c := range []io.Closer{opened, opened, trunk, rest} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // loading releases pages; they are read again
		if d := distance(t, run(t, joined, x)[0], want[0]); d != 0 {
			t.Errorf("off by %g", d)
		}
	}
	if m := joined.mapped[0]; m.refs.Load() != 2 {
		t.Errorf("%d references are left, want those of the joined network", m.refs.Load())
	}
	if err := joined.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFailures(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(short, []byte(magic), 0o600); err != nil {
		t.Fatal(err)
	}
	good := encode(t, residual())
	if err := os.WriteFile(broken, good[:len(good)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "missing"): os.ErrNotExist,
		dir:                           ErrFormat,
		short:                         ErrFormat,
		broken:                        ErrFormat,
	} {
		if _, err := Open(path); !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

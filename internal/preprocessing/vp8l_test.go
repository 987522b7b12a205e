package preprocessing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tkit/internal/fuzztest"
)

// TestLosslessGroups parses images written by libwebp up to their pixels.
// Finding the codes of as many groups as were counted shows that everything
// before was parsed correctly.
func TestLosslessGroups(t *testing.T) {
	for file, several := range map[string]bool{"webp/tiles.webp": true, "lossless.webp": false, "webp/palette.webp": false} {
		b := readTestdata(t, file)
		if err := Check(b); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		width, height, err := sniffWebP(b)
		if err != nil {
			t.Fatal(err)
		}
		c, err := chunkAt(b, 12)
		if err != nil || c.kind != "VP8L" {
			t.Fatalf("%s begins with %q: %v", file, c.kind, err)
		}
		l := &lossless{bits: bitReader{b: c.body[5:]}}
		groups, cache, err := l.groups(width, height)
		if err != nil || (groups > 1) != several {
			t.Errorf("%s: %d groups: %v", file, groups, err)
		}
		for range groups {
			for _, symbols := range []int{copies + cache, literals, literals, literals, distanceCodes} {
				if _, err := l.bits.code(symbols); err != nil {
					t.Fatalf("%s: a code of %d symbols: %v", file, symbols, err)
				}
			}
		}
	}
	if err := Check(readTestdata(t, "webp/alpha.webp")); err != nil {
		t.Errorf("an image with transparency: %v", err)
	}
}

func readTestdata(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCostlyLossless has an image of 130 kB with 65,536 groups of codes.
func TestCostlyLossless(t *testing.T) {
	for _, kind := range []string{"VP8L", "ALPH"} {
		if err := Check(manyGroups(kind)); !errors.Is(err, ErrTooCostly) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// manyGroups is the beginning of an image of 1,024 × 1,024 pixels in 65,536
// tiles, each with its own codes.
func manyGroups(kind string) []byte {
	const side = 1024
	var w bitWriter
	w.write(0, 1) // no transform
	w.write(0, 1) // no cache of colours
	w.write(1, 1) // several groups
	w.write(0, 3) // tiles of 4 × 4
	w.write(0, 1) // no cache for their image
	w.code(copies)
	w.code(literals)
	for range 3 { // blue, alpha, distance: one symbol each
		w.write(0b0001, 4)
	}
	for tile := range uint32(side / 4 * side / 4) {
		w.write(reversed(tile&0xff), 8) // green
		w.write(reversed(tile>>8), 8)   // red
	}
	if kind == "VP8L" {
		header := binary.LittleEndian.AppendUint32([]byte{0x2f}, (side-1)|(side-1)<<14)
		return webP(riffChunk(kind, append(header, w.b...)))
	}
	size := []byte{byte((side - 1) & 0xff), (side - 1) >> 8, 0}
	extended := append([]byte{0x10, 0, 0, 0}, append(size, size...)...)
	lossy := append([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}, 0, side>>8, 0, side>>8)
	return webP(riffChunk("VP8X", extended), riffChunk(kind, append([]byte{1}, w.b...)), riffChunk("VP8 ", lossy))
}

func riffChunk(kind string, body []byte) []byte {
	c := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body)))
	c = append(c, body...)
	if len(body)%2 == 1 {
		c = append(c, 0)
	}
	return c
}

func webP(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// A bitWriter is the inverse of a bitReader.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) write(value uint32, bits int) {
	for i := range bits {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(value>>i&1) << (w.n % 8)
		w.n++
	}
}

// code writes a code in which the first 256 symbols have 8 bits and the others
// are unused.
func (w *bitWriter) code(symbols int) {
	w.write(0, 1)
	w.write(8, 4) // twelve lengths of lengths, in the order of the format
	for _, length := range []uint32{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1} {
		w.write(length, 3) // 18 (zeros) and 8 have one bit each
	}
	w.write(0, 1) // all symbols
	for range literals {
		w.write(0, 1) // 8
	}
	if symbols > literals {
		w.write(1, 1) // 18
		w.write(uint32(symbols-literals-11), 7)
	}
}

func reversed(b uint32) (r uint32) {
	for i := range 8 {
		r |= b >> i & 1 << (7 - i)
	}
	return r
}

func FuzzLossless(f *testing.F) {
	for _, file := range []string{"webp/tiles.webp", "lossless.webp", "webp/palette.webp"} {
		f.Add(readTestdata(f, file)[25:], uint16(192), uint16(160))
	}
	f.Fuzz(func(t *testing.T, b []byte, width, height uint16) {
		defer fuzztest.Watch(t, len(b)+int(width)*int(height)/64)()
		_ = checkVP8L(b, 1+int(width), 1+int(height))
	})
}

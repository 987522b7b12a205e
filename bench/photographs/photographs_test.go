package photographs

import (
	"bytes"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// The same class and seed result in the same bytes, with the size of a
// photograph.
func TestScene(t *testing.T) {
	encode := func(class int, seed uint64) []byte {
		var b bytes.Buffer
		m := newScene(class, 5, rand.New(rand.NewPCG(uint64(class), seed))).draw()
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for class := range 2 {
		one := encode(class, 1)
		if n := len(one); n < 30_000 || n > 90_000 {
			t.Errorf("class %d: %d bytes", class, n)
		}
		if !bytes.Equal(one, encode(class, 1)) {
			t.Errorf("class %d: drawn twice, it differs", class)
		}
		if bytes.Equal(one, encode(class, 2)) {
			t.Errorf("class %d: two seeds, one image", class)
		}
	}
}

package preprocessing

import (
	"errors"
	"fmt"
)

// A lossless WebP may have different Huffman codes for each of its tiles. A
// decoder keeps all their tables, and a table takes some hundred times as much
// memory as its code in the file. The number of tables follows the images of
// the transforms, so these must be decoded to find it. The format is defined by
// the WebP Lossless Bitstream Specification.

const (
	// maxTables bounds the bytes of an image's tables: several times what
	// ordinary encoders produce. libwebp makes at most 2,600 groups.
	maxTables = 256 << 20
	// maxTiles bounds the images that describe tiles, in pixels.
	maxTiles = DefaultMaxPixels / 16
	// groupBytes and symbolBytes are what a decoder allocates for a group of
	// five codes and for each of their possible symbols.
	groupBytes, symbolBytes = 5 * 544, 16
)

// Symbols of the first code of a group: levels of green, then copy lengths,
// then positions in the colour cache.
const (
	literals = 256
	lengths  = 24
	copies   = literals + lengths
)

// Types of transforms.
const (
	predictorTransform = iota
	colourTransform
	greenTransform
	paletteTransform
)

// checkVP8L bounds the tables of a lossless image of a given size. b begins
// after the image's header.
func checkVP8L(b []byte, width, height int) error {
	l := &lossless{bits: bitReader{b: b}}
	groups, cache, err := l.groups(width, height)
	if err != nil {
		return err
	}
	each := groupBytes + symbolBytes*(copies+cache+3*literals+distanceCodes)
	if groups*each > maxTables {
		return fmt.Errorf("it has %d groups of Huffman codes: %w", groups, ErrTooCostly)
	}
	return nil
}

// A lossless parses the parts of an image before its pixels.
type lossless struct{ bits bitReader }

// groups parses the transforms and the image of groups, and returns the number
// of groups of codes and the size of the colour cache.
func (l *lossless) groups(width, height int) (groups, cache int, err error) {
	seen := [4]bool{}
	for l.bits.read(1) == 1 {
		kind := l.bits.read(2)
		if seen[kind] {
			return 0, 0, fmt.Errorf("a transform occurs twice: %w", ErrCorrupt)
		}
		seen[kind] = true
		switch kind {
		case predictorTransform, colourTransform:
			_, err = l.tiles(width, height)
		case paletteTransform:
			colours := int(l.bits.read(8)) + 1
			_, err = l.image(colours, 1)
			width = packed(width, colours)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if cache, err = l.cache(); err != nil {
		return 0, 0, err
	}
	groups = 1
	if l.bits.read(1) == 1 {
		pixels, err := l.tiles(width, height)
		if err != nil {
			return 0, 0, err
		}
		for _, p := range pixels { // red and green are the number of the tile's group
			groups = max(groups, int(p>>8&0xffff)+1)
		}
	}
	return groups, cache, l.bits.err
}

// packed returns the width of an image whose pixels are palette indices: with
// small palettes one pixel holds several.
func packed(width, colours int) int {
	shift := 0
	switch {
	case colours <= 2:
		shift = 3
	case colours <= 4:
		shift = 2
	case colours <= 16:
		shift = 1
	}
	return tilesOf(width, shift)
}

// tiles parses an image with a pixel for each tile.
func (l *lossless) tiles(width, height int) ([]uint32, error) {
	shift := int(l.bits.read(3)) + 2
	return l.image(tilesOf(width, shift), tilesOf(height, shift))
}

func tilesOf(side, shift int) int { return (side + 1<<shift - 1) >> shift }

// cache parses the size of the colour cache.
func (l *lossless) cache() (int, error) {
	if l.bits.read(1) == 0 {
		return 0, l.bits.err
	}
	n := l.bits.read(4)
	if n < 1 || n > 11 {
		return 0, fmt.Errorf("a cache of 2^%d colours: %w", n, ErrCorrupt)
	}
	return 1 << n, l.bits.err
}

// image decodes an image with one group of codes.
func (l *lossless) image(width, height int) ([]uint32, error) {
	if int64(width)*int64(height) > maxTiles {
		return nil, fmt.Errorf("%d×%d tiles: %w", width, height, ErrTooCostly)
	}
	size, err := l.cache()
	if err != nil {
		return nil, err
	}
	var codes [5]huffman
	for i, symbols := range []int{copies + size, literals, literals, literals, distanceCodes} {
		if codes[i], err = l.bits.code(symbols); err != nil {
			return nil, err
		}
	}
	pixels, cache := make([]uint32, 0, width*height), newColours(size)
	for len(pixels) < width*height && l.bits.err == nil {
		switch green := l.bits.symbol(codes[0]); {
		case green < literals:
			red, blue, alpha := l.bits.symbol(codes[1]), l.bits.symbol(codes[2]), l.bits.symbol(codes[3])
			pixels = append(pixels, alpha<<24|red<<16|green<<8|blue)
			cache.put(pixels[len(pixels)-1])
		case green < copies:
			n := l.bits.prefixed(green - literals)
			back := distance(l.bits.prefixed(l.bits.symbol(codes[4])), width)
			if back > len(pixels) || n > width*height-len(pixels) {
				return nil, errors.Join(l.bits.err, fmt.Errorf("a copy of %d from %d pixels before: %w", n, back, ErrCorrupt))
			}
			for range n {
				pixels = append(pixels, pixels[len(pixels)-back])
				cache.put(pixels[len(pixels)-1])
			}
		default:
			pixels = append(pixels, cache.table[green-copies])
		}
	}
	return pixels, l.bits.err
}

// colours is the colour cache, indexed by a hash.
type colours struct {
	table []uint32
	shift int
}

func newColours(size int) *colours {
	shift := 32
	for n := size; n > 1; n /= 2 {
		shift--
	}
	return &colours{make([]uint32, size), shift}
}

func (c *colours) put(pixel uint32) {
	if len(c.table) > 0 {
		c.table[0x1e35a7bd*pixel>>c.shift] = pixel
	}
}

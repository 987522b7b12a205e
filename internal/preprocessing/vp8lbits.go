package preprocessing

import "fmt"

// distanceCodes is the number of symbols in the distance code.
const distanceCodes = 40

// near lists the positions of the 120 pixels with the shortest distance codes:
// columns to the left and rows up.
var near = [120][2]int8{
	{0, 1}, {1, 0}, {1, 1}, {-1, 1}, {0, 2}, {2, 0}, {1, 2}, {-1, 2}, {2, 1}, {-2, 1}, {2, 2}, {-2, 2},
	{0, 3}, {3, 0}, {1, 3}, {-1, 3}, {3, 1}, {-3, 1}, {2, 3}, {-2, 3}, {3, 2}, {-3, 2}, {0, 4}, {4, 0},
	{1, 4}, {-1, 4}, {4, 1}, {-4, 1}, {3, 3}, {-3, 3}, {2, 4}, {-2, 4}, {4, 2}, {-4, 2}, {0, 5}, {3, 4},
	{-3, 4}, {4, 3}, {-4, 3}, {5, 0}, {1, 5}, {-1, 5}, {5, 1}, {-5, 1}, {2, 5}, {-2, 5}, {5, 2}, {-5, 2},
	{4, 4}, {-4, 4}, {3, 5}, {-3, 5}, {5, 3}, {-5, 3}, {0, 6}, {6, 0}, {1, 6}, {-1, 6}, {6, 1}, {-6, 1},
	{2, 6}, {-2, 6}, {6, 2}, {-6, 2}, {4, 5}, {-4, 5}, {5, 4}, {-5, 4}, {3, 6}, {-3, 6}, {6, 3}, {-6, 3},
	{0, 7}, {7, 0}, {1, 7}, {-1, 7}, {5, 5}, {-5, 5}, {7, 1}, {-7, 1}, {4, 6}, {-4, 6}, {6, 4}, {-6, 4},
	{2, 7}, {-2, 7}, {7, 2}, {-7, 2}, {3, 7}, {-3, 7}, {7, 3}, {-7, 3}, {5, 6}, {-5, 6}, {6, 5}, {-6, 5},
	{8, 0}, {4, 7}, {-4, 7}, {7, 4}, {-7, 4}, {8, 1}, {8, 2}, {6, 6}, {-6, 6}, {8, 3}, {5, 7}, {-5, 7},
	{7, 5}, {-7, 5}, {8, 4}, {6, 7}, {-6, 7}, {7, 6}, {-7, 6}, {8, 5}, {7, 7}, {-7, 7}, {8, 6}, {8, 7},
}

// distance converts a distance code to a number of pixels before the current
// one.
func distance(code, width int) int {
	if code > len(near) {
		return code - len(near)
	}
	at := near[code-1]
	return max(1, int(at[1])*width+int(at[0]))
}

// A bitReader reads bits, lowest first in each byte. After the end it returns
// zeros and sets an error.
type bitReader struct {
	b    []byte
	at   int // in bits
	err  error
	lens [copies + 1<<11]byte // of the code being read
}

func (r *bitReader) read(n int) (value uint32) {
	if r.at+n > 8*len(r.b) {
		r.err = ErrTruncated
		return 0
	}
	for i := range n {
		value |= uint32(r.b[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return value
}

// prefixed reads the rest of a length or distance after its symbol.
func (r *bitReader) prefixed(symbol uint32) int {
	if symbol < 4 {
		return int(symbol) + 1
	}
	extra := int(symbol-2) >> 1
	return int(2+symbol&1)<<extra + int(r.read(extra)) + 1
}

// A huffman is a canonical Huffman code: the number of symbols of each length,
// and the symbols by length. A code with a single symbol takes no bits.
type huffman struct {
	count   [16]int
	symbols []uint32
}

func (r *bitReader) symbol(h huffman) uint32 {
	if len(h.symbols) == 1 {
		return h.symbols[0]
	}
	code, first, index := 0, 0, 0
	for length := 1; length < len(h.count) && r.err == nil; length++ {
		code |= int(r.read(1))
		if n := h.count[length]; code-first < n {
			return h.symbols[index+code-first]
		} else {
			index, first = index+n, (first+n)<<1
		}
		code <<= 1
	}
	if r.err == nil {
		r.err = fmt.Errorf("an invalid symbol: %w", ErrCorrupt)
	}
	return 0
}

// newHuffman makes a code from the lengths of its symbols, 0 for unused ones.
func newHuffman(lens []byte) (huffman, error) {
	var h huffman
	for _, n := range lens {
		h.count[n]++
	}
	used := len(lens) - h.count[0]
	h.count[0] = 0
	left := 1 // unassigned codes
	for _, n := range h.count[1:] {
		left = left<<1 - n
		if left < 0 {
			break
		}
	}
	if used == 0 || left < 0 || left > 0 && used > 1 {
		return h, fmt.Errorf("the lengths of %d symbols are not a Huffman code: %w", used, ErrCorrupt)
	}
	var next [16]int
	for i := 1; i < len(next)-1; i++ {
		next[i+1] = next[i] + h.count[i]
	}
	h.symbols = make([]uint32, used)
	for symbol, n := range lens {
		if n > 0 {
			h.symbols[next[n]] = uint32(symbol)
			next[n]++
		}
	}
	return h, nil
}

// code reads a Huffman code of at most the given number of symbols.
func (r *bitReader) code(symbols int) (huffman, error) {
	if r.read(1) == 1 {
		return r.simpleCode(symbols)
	}
	var own [19]byte
	order := [19]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	n := 4 + int(r.read(4))
	if n > len(order) {
		return huffman{}, fmt.Errorf("%d lengths of lengths: %w", n, ErrCorrupt)
	}
	for _, symbol := range order[:n] {
		own[symbol] = byte(r.read(3))
	}
	h, err := newHuffman(own[:])
	if err != nil {
		return h, err
	}
	lens := r.lens[:symbols]
	clear(lens)
	if err := r.lengths(h, lens); err != nil {
		return h, err
	}
	return newHuffman(lens)
}

// simpleCode reads a code of one or two symbols.
func (r *bitReader) simpleCode(symbols int) (huffman, error) {
	h := huffman{}
	two, wide := r.read(1) == 1, r.read(1) == 1
	bits := 1
	if wide {
		bits = 8
	}
	h.symbols = []uint32{r.read(bits)}
	if two {
		h.symbols = append(h.symbols, r.read(8))
		h.count[1] = 2
	}
	for _, s := range h.symbols {
		if int(s) >= symbols {
			return h, fmt.Errorf("symbol %d of %d: %w", s, symbols, ErrCorrupt)
		}
	}
	return h, r.err
}

// lengths reads the lengths of a code's symbols, which are Huffman coded.
func (r *bitReader) lengths(h huffman, lens []byte) error {
	most := len(lens)
	if r.read(1) == 1 {
		if most = 2 + int(r.read(2+2*int(r.read(3)))); most > len(lens) {
			return fmt.Errorf("%d lengths for %d symbols: %w", most, len(lens), ErrCorrupt)
		}
	}
	last := byte(8)
	for i := 0; i < len(lens) && most > 0 && r.err == nil; most-- {
		value, times := byte(0), 1
		switch s := r.symbol(h); s {
		case 16:
			value, times = last, 3+int(r.read(2))
		case 17:
			times = 3 + int(r.read(3))
		case 18:
			times = 11 + int(r.read(7))
		default:
			if value = byte(s); s > 0 {
				last = value
			}
		}
		if i+times > len(lens) {
			return fmt.Errorf("lengths of more than %d symbols: %w", len(lens), ErrCorrupt)
		}
		for range times {
			lens[i] = value
			i++
		}
	}
	return r.err
}

package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
)

// The index is a table in LevelDB's format (table_format.md of LevelDB): data
// blocks, an empty meta block, an index of the data blocks, and a footer that
// locates the last two.
const (
	tableMagic    = 0xdb4775248b80fb57
	footerSize    = 48 // two handles padded to 40 bytes, the magic number
	trailerSize   = 5  // compression type, masked CRC-32C
	uncompressed  = 0
	snappy        = 1
	restartEvery  = 16
	blockBytes    = 32 << 10
	maxHandleSize = 2 * binary.MaxVarintLen64

	// A key is stored as its difference from the previous one: a few bytes may
	// expand to a long key, again and again.
	maxKey      = 64 << 10
	maxKeyBytes = 64 // total of all keys, per byte of the table
)

var errDamaged = errors.New("the index is damaged or cut short")

type handle struct{ offset, size uint64 }

func readHandle(b []byte) (handle, []byte, error) {
	offset, n := binary.Uvarint(b)
	if n <= 0 {
		return handle{}, nil, errDamaged
	}
	size, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return handle{}, nil, errDamaged
	}
	return handle{offset, size}, b[n+m:], nil
}

func (h handle) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, h.offset), h.size)
}

// readTable yields a table's keys and values in order. Values alias the table's
// bytes. Keys and block offsets must increase.
func readTable(table []byte) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		fail := func(err error) { yield(record{}, err) }
		if len(table) < footerSize {
			fail(errDamaged)
			return
		}
		footer := table[len(table)-footerSize:]
		if binary.LittleEndian.Uint64(footer[40:]) != tableMagic {
			fail(fmt.Errorf("not a checkpoint index, or cut short: no magic number at its end"))
			return
		}
		_, rest, err := readHandle(footer[:40])
		if err != nil {
			fail(err)
			return
		}
		index, _, err := readHandle(rest)
		if err != nil {
			fail(err)
			return
		}
		var last []byte
		started := false
		end, keys := uint64(0), uint64(0)
		for at, err := range readBlock(table, index) {
			if err != nil {
				fail(err)
				return
			}
			h, _, err := readHandle(at.value)
			if err != nil {
				fail(err)
				return
			}
			if h.offset < end { // each block once, or the work is unbounded
				fail(errDamaged)
				return
			}
			end = h.offset + h.size
			for r, err := range readBlock(table, h) {
				keys += uint64(len(r.key))
				switch {
				case err != nil:
				case keys > maxKeyBytes*uint64(len(table)):
					err = fmt.Errorf("its keys take more than %d times its size", maxKeyBytes)
				case started && bytes.Compare(r.key, last) <= 0:
					err = errDamaged
				}
				if !yield(r, err) || err != nil {
					return
				}
				last, started = r.key, true
			}
		}
	}
}

type record struct{ key, value []byte }

// readBlock yields a block's records. A key is stored as its difference from
// the previous one.
func readBlock(table []byte, h handle) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		b, err := blockContents(table, h)
		if err != nil {
			yield(record{}, err)
			return
		}
		var key []byte
		for len(b) > 0 {
			var lengths [3]uint64 // shared with the previous key, the key's rest, the value
			for i := range lengths {
				v, n := binary.Uvarint(b)
				if n <= 0 {
					yield(record{}, errDamaged)
					return
				}
				lengths[i], b = v, b[n:]
			}
			shared, rest, value := lengths[0], lengths[1], lengths[2]
			if shared > uint64(len(key)) || rest > uint64(len(b)) || value > uint64(len(b))-rest {
				yield(record{}, errDamaged)
				return
			}
			if shared+rest > maxKey {
				yield(record{}, fmt.Errorf("it has a key of %d bytes, more than the allowed %d", shared+rest, maxKey))
				return
			}
			key = append(bytes.Clone(key[:shared]), b[:rest]...)
			if !yield(record{key, b[rest : rest+value]}, nil) {
				return
			}
			b = b[rest+value:]
		}
	}
}

// blockContents verifies a block and returns its records without the restart
// points, which are only for binary search.
func blockContents(table []byte, h handle) ([]byte, error) {
	end := uint64(len(table) - footerSize)
	if h.offset > end || h.size > end-h.offset || end-h.offset-h.size < trailerSize {
		return nil, errDamaged
	}
	b := table[h.offset : h.offset+h.size]
	trailer := table[h.offset+h.size:][:trailerSize]
	crc := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, trailer[:1])
	if binary.LittleEndian.Uint32(trailer[1:]) != mask(crc) {
		return nil, fmt.Errorf("wrong checksum of the block at byte %d: the index is damaged", h.offset)
	}
	switch trailer[0] {
	case uncompressed:
	case snappy:
		return nil, fmt.Errorf("the index is compressed by snappy, which TensorFlow never writes; save the model again")
	default:
		return nil, errDamaged
	}
	if len(b) < 4 {
		return nil, errDamaged
	}
	restarts := uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	if restarts > uint64(len(b)-4)/4 {
		return nil, errDamaged
	}
	return b[:uint64(len(b))-4-4*restarts], nil
}

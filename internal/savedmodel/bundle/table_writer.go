package bundle

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A tableWriter builds a table in memory. Keys must be added in increasing
// order.
type tableWriter struct {
	table bytes.Buffer
	data  blockWriter
	index blockWriter
}

func (w *tableWriter) add(key, value []byte) {
	w.data.add(key, value)
	if w.data.records.Len() >= blockBytes {
		w.endBlock()
	}
}

// endBlock adds the block to the index under its last key: any key works that
// is not less than the block's keys and less than the following ones.
func (w *tableWriter) endBlock() {
	last := w.data.last
	h := w.write(&w.data)
	w.index.add(last, h.append(nil))
}

func (w *tableWriter) finish() []byte {
	if w.data.count > 0 {
		w.endBlock()
	}
	meta := w.write(&blockWriter{})
	index := w.write(&w.index)
	footer := index.append(meta.append(make([]byte, 0, footerSize)))
	footer = append(footer, make([]byte, 2*maxHandleSize-len(footer))...)
	w.table.Write(binary.LittleEndian.AppendUint64(footer, tableMagic))
	return w.table.Bytes()
}

func (w *tableWriter) write(b *blockWriter) handle {
	contents := b.finish()
	h := handle{uint64(w.table.Len()), uint64(len(contents))}
	contents = append(contents, uncompressed)
	crc := mask(crc32.Checksum(contents, castagnoli))
	w.table.Write(binary.LittleEndian.AppendUint32(contents, crc))
	return h
}

type blockWriter struct {
	records  bytes.Buffer
	restarts []uint32
	last     []byte
	count    int
}

func (b *blockWriter) add(key, value []byte) {
	shared := 0
	if b.count%restartEvery == 0 {
		b.restarts = append(b.restarts, uint32(b.records.Len()))
	} else {
		for shared < min(len(key), len(b.last)) && key[shared] == b.last[shared] {
			shared++
		}
	}
	var lengths []byte
	for _, n := range []int{shared, len(key) - shared, len(value)} {
		lengths = binary.AppendUvarint(lengths, uint64(n))
	}
	b.records.Write(lengths)
	b.records.Write(key[shared:])
	b.records.Write(value)
	b.last = bytes.Clone(key)
	b.count++
}

// finish returns the block's contents and resets it.
func (b *blockWriter) finish() []byte {
	if len(b.restarts) == 0 {
		b.restarts = []uint32{0} // LevelDB requires one even in an empty block
	}
	contents := bytes.Clone(b.records.Bytes())
	for _, r := range b.restarts {
		contents = binary.LittleEndian.AppendUint32(contents, r)
	}
	contents = binary.LittleEndian.AppendUint32(contents, uint32(len(b.restarts)))
	*b = blockWriter{}
	return contents
}

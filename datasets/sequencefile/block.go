package sequencefile

import (
	"errors"
	"fmt"

	"tkit/datasets/shards"
)

// blocks parses a file compressed by block. A block is a sync marker, the
// number of its records, and four compressed pieces, each preceded by its
// length: the lengths of the keys, the keys, the lengths of the values, the
// values. The values are not uncompressed here.
func (s *scan) blocks() error {
	r := s.reader
	for r.Left() > 0 {
		begin := r.Offset()
		escape, err := readInt(r, "a block's sync marker")
		if err != nil {
			return err
		}
		if escape != syncEscape {
			return r.Errorf(begin, "a block without a sync marker: the file is damaged")
		}
		if err := s.sync(); err != nil {
			return err
		}
		n, err := readVInt(r, "a block's number of records")
		if err != nil {
			return err
		}
		if n < 0 || n > maxBlock/4 {
			return r.Errorf(begin, "a block of %d records: the file is damaged", n)
		}
		if err := s.block(begin, int(n)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) block(begin int64, n int) error {
	var pieces [3][]byte // all except the values
	for i, what := range [...]string{"the keys' lengths", "the keys", "the values' lengths"} {
		stored, err := s.piece(what)
		if err != nil {
			return err
		}
		if pieces[i], err = s.header.codec.unpack(stored, maxBlock/4); err != nil {
			return s.reader.Errorf(begin, "%s of a block: %w", what, err)
		}
	}
	length, err := s.pieceLength("the values")
	if err != nil {
		return err
	}
	place := shards.Place{Offset: s.reader.Offset(), Length: length, Packed: true, Shared: true}
	if err := s.reader.Skip(length); err != nil {
		return err
	}
	damaged := func(err error) error { return s.reader.Errorf(begin, "a block of %d records: %w", n, err) }
	keyLengths, keys, valueLengths := pieces[0], pieces[1], pieces[2]
	for range n {
		keyLength, err := takeLength(&keyLengths)
		if err != nil {
			return damaged(err)
		}
		valueLength, err := takeLength(&valueLengths)
		if err != nil {
			return damaged(err)
		}
		if keyLength > int64(len(keys)) || valueLength < 4 || place.From+valueLength > maxBlock {
			return damaged(fmt.Errorf("a key of %d bytes with a value of %d: the file is damaged", keyLength, valueLength))
		}
		key, err := s.header.key(keys[:keyLength])
		if err != nil {
			return damaged(err)
		}
		keys = keys[keyLength:]
		place.Size = valueLength
		if err := s.emit(key, place); err != nil {
			return err
		}
		place.From += valueLength
	}
	if len(keyLengths)+len(keys)+len(valueLengths) > 0 {
		return damaged(errors.New("it has more keys and lengths than records: the file is damaged"))
	}
	return nil
}

// takeLength decodes a length at the front of a piece.
func takeLength(piece *[]byte) (int64, error) {
	v, n, err := vInt(*piece)
	if err != nil {
		return 0, err
	}
	if v < 0 || v > maxBlock {
		return 0, fmt.Errorf("a length of %d: the file is damaged", v)
	}
	*piece = (*piece)[n:]
	return v, nil
}

// piece reads one of the compressed pieces of a block.
func (s *scan) piece(what string) ([]byte, error) {
	n, err := s.pieceLength(what)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, s.reader.Fill(b, what)
}

func (s *scan) pieceLength(what string) (int64, error) {
	begin := s.reader.Offset()
	n, err := readVInt(s.reader, what)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > maxBlock {
		return 0, s.reader.Errorf(begin, "%s of a block in %d bytes: the file is damaged", what, n)
	}
	if n > s.reader.Left() {
		return 0, s.reader.Truncated(fmt.Sprintf("%s of a block, %d bytes at %d", what, n, begin))
	}
	return n, nil
}

package bundle

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	bundlepb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"
)

// A Reader reads one bundle. Its methods may be called concurrently. Close
// closes its files.
type Reader struct {
	prefix  string
	entries map[string]*bundlepb.BundleEntryProto
	shards  []shard
}

// A shard is one data file, or memory in the fuzz test.
type shard struct {
	name string
	data io.ReaderAt
	size int64
}

// Open opens the bundle whose files begin with prefix, such as
// "model/variables/variables". All data files must exist.
func Open(prefix string) (*Reader, error) {
	index, err := ReadFile(indexName(prefix), maxIndex)
	if err != nil {
		return nil, fmt.Errorf("checkpoint index: %w", err)
	}
	count, entries, err := readIndex(index)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexName(prefix), err)
	}
	r := &Reader{prefix: prefix, entries: entries}
	for i := range count {
		name := shardName(prefix, i, count)
		f, size, err := openFile(name)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("data file %d of %d of the checkpoint: %w", i+1, count, err)
		}
		r.shards = append(r.shards, shard{name: name, data: f, size: size})
	}
	return r, nil
}

// Size returns the total size of the data files.
func (r *Reader) Size() int64 {
	total := int64(0)
	for _, s := range r.shards {
		total += s.size
	}
	return total
}

// Close closes the data files.
func (r *Reader) Close() error {
	var errs []error
	for _, s := range r.shards {
		if c, ok := s.data.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	r.shards = nil
	return errors.Join(errs...)
}

const (
	// maxShards bounds the data files that Open looks for.
	maxShards = 1 << 16
	// maxIndex bounds the size of an index. For ten thousand variables it has a
	// megabyte.
	maxIndex = 32 << 20
	// maxSlices bounds the slices of a tensor, which are compared pairwise.
	maxSlices = 1 << 10
	// maxRank is TensorFlow's limit on a tensor's rank.
	maxRank = 254
)

func readIndex(index []byte) (shards int, entries map[string]*bundlepb.BundleEntryProto, err error) {
	entries = map[string]*bundlepb.BundleEntryProto{}
	var header *bundlepb.BundleHeaderProto
	for r, err := range readTable(index) {
		if err != nil {
			return 0, nil, err
		}
		if header == nil {
			header = &bundlepb.BundleHeaderProto{}
			if string(r.key) != headerKey || proto.Unmarshal(r.value, header) != nil {
				return 0, nil, fmt.Errorf("it is a table without a checkpoint header")
			}
			continue
		}
		e := &bundlepb.BundleEntryProto{}
		if err := proto.Unmarshal(r.value, e); err != nil {
			return 0, nil, fmt.Errorf("entry %q: %w", r.key, err)
		}
		entries[string(r.key)] = e
	}
	switch {
	case header == nil:
		return 0, nil, fmt.Errorf("it is a table without a checkpoint header")
	case header.GetEndianness() != bundlepb.BundleHeaderProto_LITTLE:
		return 0, nil, fmt.Errorf("it was written on a big-endian machine; save the model again on a little-endian one")
	case header.GetVersion().GetMinConsumer() > version:
		return 0, nil, fmt.Errorf("it requires a reader of checkpoint format %d; this one supports up to %d", header.GetVersion().GetMinConsumer(), version)
	case header.GetNumShards() < 0 || header.GetNumShards() > maxShards:
		return 0, nil, errDamaged
	}
	return int(header.GetNumShards()), entries, checkPlaces(entries)
}

// checkPlaces checks that no two entries share bytes of a data file, so that
// all tensors together are no larger than the files.
func checkPlaces(entries map[string]*bundlepb.BundleEntryProto) error {
	type extent struct {
		shard         int32
		offset, bytes int64
		key           string
	}
	var all []extent
	for key, e := range entries {
		if e.GetSize() > 0 && len(e.GetSlices()) == 0 {
			all = append(all, extent{e.GetShardId(), e.GetOffset(), e.GetSize(), key})
		}
	}
	slices.SortFunc(all, func(a, b extent) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.offset, b.offset), cmp.Compare(a.key, b.key))
	})
	for i, e := range all[:max(len(all)-1, 0)] {
		if next := all[i+1]; e.shard == next.shard && e.bytes > next.offset-e.offset {
			return fmt.Errorf("tensors %q and %q share bytes of a data file: the index is damaged", e.key, next.key)
		}
	}
	return nil
}

// Keys returns the names of the tensors, sorted.
func (r *Reader) Keys() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for k := range maps.Keys(r.entries) {
			// Slices of a partitioned variable have separate entries, whose
			// keys begin with a zero byte.
			if !strings.HasPrefix(k, "\x00") && !yield(k) {
				return
			}
		}
	})
}

// Has reports whether a tensor of that key exists.
func (r *Reader) Has(key string) bool { return r.entries[key] != nil }

// Same reports whether two tensors have equal types, shapes and checksums.
func (r *Reader) Same(a, b string) bool {
	x, y := r.entries[a], r.entries[b]
	return x != nil && y != nil && len(x.GetSlices()) == 0 && len(y.GetSlices()) == 0 &&
		x.GetDtype() == y.GetDtype() && proto.Equal(x.GetShape(), y.GetShape()) && x.GetCrc32C() == y.GetCrc32C()
}

// Tensor reads and verifies the tensor of that key, assembling it if it was
// stored in slices.
func (r *Reader) Tensor(key string) (Tensor, error) {
	t, err := r.tensor(key)
	if err != nil {
		return Tensor{}, fmt.Errorf("checkpoint %s: tensor %q: %w", r.prefix, key, err)
	}
	return t, nil
}

// Slice reads the part of a tensor given by a shape_and_slices argument of
// RestoreV2. "" means all of it.
func (r *Reader) Slice(key, spec string) (Tensor, error) {
	t, err := r.Tensor(key)
	if err != nil {
		return Tensor{}, err
	}
	if t, err = t.Slice(spec); err != nil {
		return Tensor{}, fmt.Errorf("checkpoint %s: tensor %q: %w", r.prefix, key, err)
	}
	return t, nil
}

// Slice returns a copy of the part of a tensor given by a shape_and_slices
// argument of RestoreV2. For "" it returns the tensor itself.
func (t Tensor) Slice(spec string) (Tensor, error) {
	if spec == "" {
		return t, nil
	}
	s, err := parseSlice(spec)
	if err == nil {
		s, err = s.resolve(t.Shape)
	}
	if err != nil {
		return Tensor{}, err
	}
	size, err := bytesOf(t.DataType, s.shape())
	if err != nil {
		return Tensor{}, err
	}
	part := make([]byte, size)
	s.move(t.Data, t.Shape, part, sizes[t.DataType], true)
	return Tensor{t.DataType, s.shape(), part}, nil
}

func (r *Reader) tensor(key string) (Tensor, error) {
	e := r.entries[key]
	if e == nil {
		return Tensor{}, fmt.Errorf("not found among %d tensors", len(r.Keys()))
	}
	shape, err := shapeOf(e.GetShape())
	if err != nil {
		return Tensor{}, err
	}
	size, err := bytesOf(e.GetDtype(), shape)
	if err != nil {
		return Tensor{}, err
	}
	if len(e.GetSlices()) > 0 {
		return r.assemble(key, e, shape, size)
	}
	if e.GetSize() != size {
		return Tensor{}, fmt.Errorf("stored in %d bytes, but its shape %v takes %d: the index is damaged", e.GetSize(), shape, size)
	}
	data, err := r.stored(e)
	if err != nil {
		return Tensor{}, err
	}
	if got := mask(crc32.Checksum(data, castagnoli)); got != e.GetCrc32C() {
		return Tensor{}, fmt.Errorf("wrong checksum in %s at byte %d: the file is damaged", r.shards[e.GetShardId()].name, e.GetOffset())
	}
	return Tensor{e.GetDtype(), shape, data}, nil
}

// assemble assembles a tensor from its slices, which must fill it exactly.
func (r *Reader) assemble(key string, e *bundlepb.BundleEntryProto, shape []int64, size int64) (Tensor, error) {
	if len(e.GetSlices()) > maxSlices {
		return Tensor{}, fmt.Errorf("it is stored in %d slices, more than the allowed %d", len(e.GetSlices()), maxSlices)
	}
	parts := make([]slice, len(e.GetSlices()))
	filled := int64(0)
	for i, p := range e.GetSlices() {
		s, err := sliceOf(p).resolve(shape)
		if err != nil {
			return Tensor{}, err
		}
		for _, before := range parts[:i] {
			if s.meets(before) {
				return Tensor{}, fmt.Errorf("slices %v and %v overlap", before, s)
			}
		}
		n, err := bytesOf(e.GetDtype(), s.shape())
		if err != nil {
			return Tensor{}, err
		}
		stored := r.entries[sliceOf(p).key(key)]
		if stored == nil {
			return Tensor{}, fmt.Errorf("slice %v is missing from the index", s)
		}
		if stored.GetSize() != n || len(stored.GetSlices()) > 0 {
			return Tensor{}, fmt.Errorf("slice %v is stored in %d bytes, not %d: the index is damaged", s, stored.GetSize(), n)
		}
		if err := r.check(stored); err != nil {
			return Tensor{}, fmt.Errorf("slice %v: %w", s, err)
		}
		parts[i] = s
		filled += n
	}
	if filled != size {
		return Tensor{}, fmt.Errorf("its %d slices have %d of %d bytes", len(parts), filled, size)
	}
	all := make([]byte, size)
	for i, p := range e.GetSlices() {
		t, err := r.tensor(sliceOf(p).key(key))
		if err != nil {
			return Tensor{}, fmt.Errorf("slice %v: %w", parts[i], err)
		}
		if t.DataType != e.GetDtype() {
			return Tensor{}, fmt.Errorf("slice %v is of type %s in a tensor of %s", parts[i], t.DataType, e.GetDtype())
		}
		parts[i].move(all, shape, t.Data, sizes[t.DataType], false)
	}
	return Tensor{e.GetDtype(), shape, all}, nil
}

// check checks that an entry's bytes lie within its file, before memory is
// allocated for them.
func (r *Reader) check(e *bundlepb.BundleEntryProto) error {
	if id := e.GetShardId(); id < 0 || int(id) >= len(r.shards) {
		return fmt.Errorf("data file %d of %d: the index is damaged", id, len(r.shards))
	}
	s := r.shards[e.GetShardId()]
	if e.GetOffset() < 0 || e.GetSize() < 0 || e.GetOffset() > s.size || e.GetSize() > s.size-e.GetOffset() {
		return fmt.Errorf("%s is cut short: it has %d bytes, but bytes %d to %d are needed", s.name, s.size, e.GetOffset(), e.GetOffset()+e.GetSize())
	}
	return nil
}

func (r *Reader) stored(e *bundlepb.BundleEntryProto) ([]byte, error) {
	if err := r.check(e); err != nil {
		return nil, err
	}
	s := r.shards[e.GetShardId()]
	data := make([]byte, e.GetSize())
	if _, err := io.ReadFull(io.NewSectionReader(s.data, e.GetOffset(), e.GetSize()), data); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return data, nil
}

// Strings reads and verifies a tensor of strings.
//
// It is stored as the elements' lengths as varints, a checksum of the lengths,
// and the elements' bytes.
func (r *Reader) Strings(key string) ([][]byte, error) {
	values, err := r.strings(key)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: tensor %q: %w", r.prefix, key, err)
	}
	return values, nil
}

func (r *Reader) strings(key string) ([][]byte, error) {
	e := r.entries[key]
	switch {
	case e == nil:
		return nil, fmt.Errorf("not found among %d tensors", len(r.Keys()))
	case e.GetDtype() != types.DataType_DT_STRING:
		return nil, fmt.Errorf("its type is %s, not string", e.GetDtype())
	}
	shape, err := shapeOf(e.GetShape())
	if err != nil {
		return nil, err
	}
	count, err := bytesOf(types.DataType_DT_UINT8, shape)
	if err != nil {
		return nil, err
	}
	data, err := r.stored(e)
	if err != nil {
		return nil, err
	}
	damaged := fmt.Errorf("%s is damaged at byte %d", filepath.Base(r.shards[e.GetShardId()].name), e.GetOffset())
	if count > int64(len(data)) {
		return nil, damaged
	}
	lengths := make([]uint64, count)
	crc := uint32(0)
	for i := range lengths {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return nil, damaged
		}
		lengths[i], data = v, data[n:]
		crc = crc32.Update(crc, castagnoli, lengthBytes(v))
	}
	if len(data) < 4 || binary.LittleEndian.Uint32(data) != mask(crc) {
		return nil, damaged
	}
	if crc32.Update(crc, castagnoli, data) != unmask(e.GetCrc32C()) {
		return nil, damaged
	}
	data = data[4:]
	values := make([][]byte, count)
	for i, n := range lengths {
		if n > uint64(len(data)) {
			return nil, damaged
		}
		values[i], data = data[:n:n], data[n:]
	}
	return values, nil
}

func unmask(crc uint32) uint32 {
	crc -= 0xa282ead8
	return crc>>17 | crc<<15
}

// lengthBytes encodes a string's length for the checksum.
func lengthBytes(n uint64) []byte {
	if n <= 1<<32-1 {
		return binary.LittleEndian.AppendUint32(nil, uint32(n))
	}
	return binary.LittleEndian.AppendUint64(nil, n)
}

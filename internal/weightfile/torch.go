package weightfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The beginning of the old format: pickles of a magic number, of the version 1001,
// and of what the machine was like.
var legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

const legacyVersion = 1001

func isLegacy(head []byte) bool { return bytes.HasPrefix(head, legacyMagic) }

// pending is the data of a storage. Where it lies is known once the whole
// directory has been read.
type pending struct{ io.ReaderAt }

// A storageID is what stands in a persistent id: ("storage", class, key, device,
// number of elements), and in the old format a view, which must be none.
func storageID(id any) (key string, s storage, err error) {
	a, ok := id.(tuple)
	if !ok || len(a) < 5 || a[0] != "storage" {
		return "", s, errors.New("a persistent id of something else than a storage")
	}
	class, isGlobal := a[1].(global)
	key, isKey := a[2].(string)
	elements, isCount := a[4].(int64)
	s.dataType = storageTypes[class.name]
	if !isGlobal || !isKey || !isCount || elements < 0 || s.dataType == 0 {
		return "", s, errors.New("a storage without a class, a key or a size")
	}
	if len(a) > 5 && a[5] != nil {
		return "", s, errors.New("a storage that is a view of another: save the state dictionary anew")
	}
	s.elements = elements
	return key, s, nil
}

// storages are those that a pickle names, by key.
type storages map[string]storage

// persistent finds or makes a storage.
func (all storages) persistent(id any) (any, error) {
	key, s, err := storageID(id)
	if err != nil {
		return nil, err
	}
	if known, ok := all[key]; ok {
		if known.dataType != s.dataType || known.elements != s.elements {
			return nil, fmt.Errorf("the storage %.50q is of two types or sizes", key)
		}
		return known, nil
	}
	s.data = &pending{}
	all[key] = s
	return s, nil
}

// readLegacy reads the old format of torch.save: three small pickles, that of the
// state dictionary, that of the storages' keys, and then for each key the number
// of its elements in 8 bytes, and they themselves.
func readLegacy(ctx context.Context, r io.ReaderAt, size int64) (map[string]*Tensor, error) {
	counted := &counter{Reader: io.NewSectionReader(r, 0, size)}
	in := bufio.NewReader(counted)
	none := func(any) (any, error) { return nil, errors.New("a persistent id before the state dictionary") }
	if _, err := unpickle(in, none); err != nil {
		return nil, err
	}
	if version, err := unpickle(in, none); err != nil || version != int64(legacyVersion) {
		return nil, errors.Join(fmt.Errorf("torch.save of version %v; want %d", version, legacyVersion), err)
	}
	machine, err := unpickle(in, none)
	if err != nil {
		return nil, err
	}
	if bigEndian(machine) {
		return nil, errors.New("it was written by a big-endian machine: write it anew by PyTorch 1.6 or later")
	}
	all := storages{}
	state, err := unpickle(in, all.persistent)
	if err != nil {
		return nil, err
	}
	keys, err := unpickle(in, none)
	if err != nil {
		return nil, err
	}
	if err := all.place(ctx, keys, r, counted.n-int64(in.Buffered()), size); err != nil {
		return nil, err
	}
	return stateDict(state)
}

// place finds the storages behind the pickles, in the order of the keys.
func (all storages) place(ctx context.Context, keys any, r io.ReaderAt, at, size int64) error {
	order, ok := keys.(*list)
	if !ok {
		return errors.New("the keys of the storages are no list")
	}
	placed := 0
	for _, k := range order.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		key, _ := k.(string)
		s, ok := all[key]
		if !ok || s.data.ReaderAt != nil {
			return fmt.Errorf("the storage %.50q is of no tensor, or stands twice", key)
		}
		var count [8]byte
		if err := readFull(r, count[:], at); err != nil {
			return fmt.Errorf("the storage %.50q: %w", key, err)
		}
		if n := int64(binary.LittleEndian.Uint64(count[:])); n != s.elements {
			return fmt.Errorf("the storage %.50q has %d elements, and %d by the state dictionary", key, n, s.elements)
		}
		at += 8
		room := int64(s.dataType.Size())
		if s.elements > (size-at)/room {
			return fmt.Errorf("the storage %.50q: %w", key, io.ErrUnexpectedEOF)
		}
		s.data.ReaderAt = io.NewSectionReader(r, at, s.elements*room)
		at += s.elements * room
		placed++
	}
	if placed != len(all) {
		return fmt.Errorf("%d of %d storages are missing", len(all)-placed, len(all))
	}
	if at != size {
		return fmt.Errorf("%d bytes stand behind the last storage", size-at)
	}
	return nil
}

// bigEndian says whether a description of a machine says so.
func bigEndian(machine any) bool {
	d, ok := machine.(*dict)
	if !ok {
		return false
	}
	for i, key := range d.keys {
		if key == "little_endian" {
			return d.values[i] == false
		}
	}
	return false
}

// A counter counts what is read.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// readZip reads the format of torch.save since version 1.6: a ZIP archive with one
// folder, in it data.pkl and each storage as data/KEY, not compressed.
func readZip(_ context.Context, r io.ReaderAt, size int64) (map[string]*Tensor, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	members := map[string]*zip.File{}
	var pickle *zip.File
	for _, f := range archive.File {
		if members[f.Name] != nil {
			return nil, fmt.Errorf("the archive has %.100q twice", f.Name)
		}
		members[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && strings.Count(f.Name, "/") == 1 {
			pickle = f
		}
	}
	if pickle == nil {
		return nil, fmt.Errorf("%w: the archive has no data.pkl", ErrFormat)
	}
	folder := path.Dir(pickle.Name)
	if f := members[folder+"/byteorder"]; f != nil {
		if order, err := content(f, 16); err != nil || string(order) != "little" {
			return nil, errors.Join(fmt.Errorf("the byte order is %.16q; want little", order), err)
		}
	}
	text, err := content(pickle, maxPickle)
	if err != nil {
		return nil, err
	}
	all := storages{}
	state, err := unpickle(bufio.NewReader(bytes.NewReader(text)), all.persistent)
	if err != nil {
		return nil, err
	}
	for key, s := range all {
		if s.data.ReaderAt, err = stored(r, members[folder+"/data/"+key], s); err != nil {
			return nil, fmt.Errorf("the storage %.50q: %w", key, err)
		}
	}
	return stateDict(state)
}

// content reads a small member.
func content(f *zip.File, limit int64) (text []byte, err error) {
	m, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	text, err = io.ReadAll(io.LimitReader(m, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", f.Name, limit)
	}
	return text, err
}

// stored is the data of a storage in the archive.
func stored(r io.ReaderAt, f *zip.File, s storage) (io.ReaderAt, error) {
	if f == nil {
		return nil, errors.New("it is not in the archive")
	}
	if f.Method != zip.Store {
		return nil, errors.New("it is compressed, which torch.save does not do")
	}
	size := int64(f.UncompressedSize64)
	if room := int64(s.dataType.Size()); s.elements > size/room || s.elements*room != size {
		return nil, fmt.Errorf("%d bytes for %d elements of %s", f.UncompressedSize64, s.elements, s.dataType)
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r, at, size), nil
}

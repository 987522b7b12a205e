package bundle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"

	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versions "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"
	bundlepb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// A Writer writes a bundle with one data file. It is not safe for concurrent
// use. Finish completes the bundle; Close without Finish leaves no index, so
// that the files are not a checkpoint.
type Writer struct {
	prefix  string
	file    *os.File
	data    *bufio.Writer
	offset  int64
	entries map[string]*bundlepb.BundleEntryProto
}

// Create starts a bundle at prefix, in an existing folder.
func Create(prefix string) (*Writer, error) {
	f, err := os.Create(shardName(prefix, 0, 1))
	if err != nil {
		return nil, err
	}
	return &Writer{prefix: prefix, file: f, data: bufio.NewWriterSize(f, 1<<20), entries: map[string]*bundlepb.BundleEntryProto{}}, nil
}

// Add appends a tensor. Its data may be reused after the call.
func (w *Writer) Add(key string, t Tensor) error {
	size, err := bytesOf(t.DataType, t.Shape)
	if err == nil && size != int64(len(t.Data)) {
		err = fmt.Errorf("%d bytes for shape %v, which takes %d", len(t.Data), t.Shape, size)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: tensor %q: %w", w.prefix, key, err)
	}
	return w.add(key, t.DataType, t.Shape, crc32.Checksum(t.Data, castagnoli), t.Data)
}

// AddStrings appends a tensor of strings. A nil shape means a scalar.
func (w *Writer) AddStrings(key string, shape []int64, values [][]byte) error {
	count, err := bytesOf(types.DataType_DT_UINT8, shape)
	if err == nil && count != int64(len(values)) {
		err = fmt.Errorf("%d strings for shape %v", len(values), shape)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: tensor %q: %w", w.prefix, key, err)
	}
	var data []byte
	crc := uint32(0)
	for _, v := range values {
		data = binary.AppendUvarint(data, uint64(len(v)))
		crc = crc32.Update(crc, castagnoli, lengthBytes(uint64(len(v))))
	}
	head := len(data)
	data = binary.LittleEndian.AppendUint32(data, mask(crc))
	for _, v := range values {
		data = append(data, v...)
	}
	return w.add(key, types.DataType_DT_STRING, shape, crc32.Update(crc, castagnoli, data[head:]), data)
}

func (w *Writer) add(key string, dt types.DataType, shape []int64, crc uint32, data []byte) error {
	if key == headerKey || w.entries[key] != nil {
		return fmt.Errorf("checkpoint %s: key %q already exists", w.prefix, key)
	}
	if _, err := w.data.Write(data); err != nil {
		return err
	}
	w.entries[key] = &bundlepb.BundleEntryProto{
		Dtype: dt, Shape: shapeProto(shape), Offset: w.offset, Size: int64(len(data)), Crc32C: mask(crc),
	}
	w.offset += int64(len(data))
	return nil
}

// Finish writes the index and makes both files durable.
func (w *Writer) Finish() error {
	if err := w.data.Flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	index, err := w.index()
	if err != nil {
		return err
	}
	f, err := os.Create(indexName(w.prefix))
	if err != nil {
		return err
	}
	_, err = f.Write(index)
	return errors.Join(err, f.Sync(), f.Close(), w.Close())
}

func (w *Writer) index() ([]byte, error) {
	deterministic := proto.MarshalOptions{Deterministic: true}
	header, err := deterministic.Marshal(&bundlepb.BundleHeaderProto{
		NumShards: 1, Endianness: bundlepb.BundleHeaderProto_LITTLE, Version: &versions.VersionDef{Producer: version},
	})
	if err != nil {
		return nil, err
	}
	var table tableWriter
	table.add([]byte(headerKey), header)
	for _, key := range slices.Sorted(maps.Keys(w.entries)) {
		entry, err := deterministic.Marshal(w.entries[key])
		if err != nil {
			return nil, err
		}
		table.add([]byte(key), entry)
	}
	return table.finish(), nil
}

// Close aborts an unfinished bundle. After Finish it does nothing.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

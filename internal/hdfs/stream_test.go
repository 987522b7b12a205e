package hdfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tkit/internal/fuzztest"
)

const testChunk = 512

// packet encodes a packet as DataNodes send it.
func packet(data []byte, last bool) []byte {
	header := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), 0)
	header = protowire.AppendFixed64(protowire.AppendTag(header, 2, protowire.Fixed64Type), 0)
	header = protowire.AppendVarint(protowire.AppendTag(header, 3, protowire.VarintType), protowire.EncodeBool(last))
	header = protowire.AppendFixed32(protowire.AppendTag(header, 4, protowire.Fixed32Type), uint32(len(data)))
	var sums []byte
	for rest := data; len(rest) > 0; rest = rest[min(testChunk, len(rest)):] {
		sums = binary.BigEndian.AppendUint32(sums, crc32.Checksum(rest[:min(testChunk, len(rest))], castagnoli))
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(sums)+len(data)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(header)))
	return append(append(append(b, header...), sums...), data...)
}

// streamOf returns a stream over the bytes that a DataNode sends for the end of
// a block.
func streamOf(t *testing.T, sent []byte, left int64, skip int) *stream {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	go io.Copy(io.Discard, theirs) // ends with the pipe
	return &stream{
		nodes: &dataNodes{closed: true}, conn: &dataConn{Conn: ours, buffer: bufio.NewReader(bytes.NewReader(sent))},
		stop: func() bool { return true }, left: left, skip: skip, chunk: testChunk, table: castagnoli,
	}
}

func TestStream(t *testing.T) {
	content := pattern(3000, 1)
	end := packet(nil, true)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	wrong := packet(content[1024:], false)
	wrong[len(wrong)-1] ^= 1
	for name, c := range map[string]struct {
		sent []byte
		left int64
		skip int
		want []byte // before the error
		err  error
	}{
		"one packet":              {join(packet(content, false), end), 3000, 0, content, nil},
		"two":                     {join(packet(content[:1024], false), packet(content[1024:], false), end), 3000, 0, content, nil},
		"from within a chunk":     {join(packet(content[512:], false), end), 2400, 88, content[600:], nil},
		"grown since":             {join(packet(content, false), end), 2900, 0, content[:2900], nil},
		"a wrong byte":            {join(packet(content[:1024], false), wrong, end), 3000, 0, content[:1024], errChecksum},
		"cut between packets":     {packet(content[:1024], false), 3000, 0, content[:1024], io.ErrUnexpectedEOF},
		"cut within a packet":     {packet(content, false)[:2000], 3000, 0, nil, io.ErrUnexpectedEOF},
		"no end":                  {packet(content, false), 3000, 0, nil, io.ErrUnexpectedEOF},
		"shorter than the block":  {join(packet(content[:1024], false), end), 3000, 0, content[:1024], io.ErrUnexpectedEOF},
		"longer than the block":   {join(packet(content, false), packet(content, false), end), 3000, 0, nil, errProtocol},
		"longer within a packet":  {join(packet(content, false), end), 1000, 0, nil, errProtocol},
		"something else":          {pattern(1000, 2), 3000, 0, nil, errProtocol},
		"a header without an end": {[]byte{0, 0, 0, 4, 0, 1, 0xff}, 3000, 0, nil, errProtocol},
	} {
		for _, size := range []int{1, 100, 4096} { // bytes at a time, through a buffer and directly
			got, err := readSized(streamOf(t, c.sent, c.left, c.skip), size)
			if !bytes.Equal(got, c.want) || !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(c.want), err)
			}
		}
	}
}

// For any input no more is read than the block has: all of it or an error.
func FuzzStream(f *testing.F) {
	content := pattern(1500, 1)
	f.Add(append(packet(content, false), packet(nil, true)...), uint16(1500), uint16(0))
	f.Add(append(packet(content[512:], false), packet(nil, true)...), uint16(900), uint16(88))
	f.Fuzz(func(t *testing.T, sent []byte, left, skip uint16) {
		defer fuzztest.Watch(t, len(sent))()
		got, err := io.ReadAll(streamOf(t, sent, int64(left), int(skip)%testChunk))
		if int64(len(got)) > int64(left) || err == nil && len(got) != int(left) {
			t.Errorf("%d bytes of %d, %v", len(got), left, err)
		}
	})
}

// forgetful reads frames of three bytes like the library's connections.
type forgetful struct {
	net.Conn
	readBuf bytes.Buffer
	rest    []byte
}

func (f *forgetful) Read(b []byte) (int, error) {
	n, _ := f.readBuf.Read(b)
	if n == len(b) {
		return n, nil
	}
	if len(f.rest) == 0 {
		return n, io.EOF
	}
	f.readBuf.Write(f.rest[:3])
	f.rest = f.rest[3:]
	return f.readBuf.Read(b[n:])
}

func TestFrames(t *testing.T) {
	content := pattern(300, 1)
	for size := 1; size < 8; size++ {
		got, err := readSized(whole(&forgetful{rest: content}), size)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes at a time: %d bytes of %d, %v", size, len(got), len(content), err)
		}
	}
}

// readSized reads everything, with buffers of the given size.
func readSized(r io.Reader, size int) (all []byte, err error) {
	for b := make([]byte, size); err == nil; {
		var n int
		n, err = r.Read(b)
		all = append(all, b[:n]...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

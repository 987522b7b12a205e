package hdfs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Constants of Hadoop's data transfer protocol (DataTransferProtocol.java,
// datatransfer.proto).
const (
	transferVersion = 28
	readBlockOp     = 81
	success         = 0 // Status
	checksumOK      = 6
	// mostHeader and mostPacket exceed what DataNodes send: 64 kB of data in a
	// packet, unless dfs.client-write-packet-size or the chunks are larger.
	mostHeader = 1 << 10
	mostPacket = 16 << 20
)

var (
	// errProtocol marks an invalid answer.
	errProtocol = errors.New("malformed answer")
	// errChecksum marks bytes that differ from those written.
	errChecksum = errors.New("invalid checksum")
)

// A stream is a part of a block from one DataNode. Its bytes are verified by
// their checksums.
type stream struct {
	nodes   *dataNodes
	address string
	conn    *dataConn   // nil once the operation has ended
	stop    func() bool // stops watching the context
	left    int64       // bytes remaining
	skip    int         // bytes before the first requested one
	chunk   int         // bytes per checksum
	table   *crc32.Table

	sums, data []byte // of the packet; data includes the skipped bytes
	unread     []byte // of data
}

// readBlock requests a part of a block from a DataNode. If a reused connection
// was closed by its peer, it opens another.
func (c *Client) readBlock(ctx context.Context, address string, b *block, offset, length int64) (*stream, error) {
	for {
		conn := c.dataNodes.take(address)
		if conn == nil {
			var err error
			if conn, err = c.connect(ctx, address, b); err != nil {
				return nil, err
			}
		}
		s := &stream{nodes: &c.dataNodes, address: address, conn: conn, left: length}
		s.stop = context.AfterFunc(ctx, func() { conn.Close() })
		err := s.ask(b, offset)
		if err == nil {
			return s, nil
		}
		s.close()
		if !conn.used || !closedByPeer(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", address, err)
		}
	}
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || hungUp(err)
}

// ask sends the request and reads the answer that precedes the packets.
func (s *stream) ask(b *block, offset int64) error {
	base := appendBytes(appendBytes(nil, 1, b.name), 2, b.token)
	header := appendBytes(appendBytes(nil, 1, base), 2, []byte("tkit"))
	op := appendBytes(nil, 1, header)
	op = protowire.AppendVarint(protowire.AppendTag(op, 2, protowire.VarintType), uint64(offset))
	op = protowire.AppendVarint(protowire.AppendTag(op, 3, protowire.VarintType), uint64(s.left))
	request := protowire.AppendBytes([]byte{0, transferVersion, readBlockOp}, op)
	if _, err := s.conn.Write(request); err != nil {
		return err
	}
	answer, err := s.answer()
	if err != nil {
		return err
	}
	if status := get(answer, "status").Enum(); status != success {
		return fmt.Errorf("%w: the DataNode answers %s", errRefusedBlock, describe(answer))
	}
	info := get(answer, "readOpChecksumInfo").Message()
	checksum := get(info, "checksum").Message()
	s.chunk = int(get(checksum, "bytesPerChecksum").Uint())
	begin := int64(get(info, "chunkOffset").Uint())
	if s.chunk <= 0 || s.chunk > mostPacket || begin > offset || offset-begin >= int64(s.chunk) {
		return fmt.Errorf("%w: chunks of %d bytes from %d, not from %d", errProtocol, s.chunk, begin, offset)
	}
	s.skip = int(offset - begin)
	switch kind := get(checksum, "type").Enum(); kind {
	case 1:
		s.table = crc32.IEEETable
	case 2:
		s.table = castagnoli
	default:
		// No checksums: the DataNode has lost them.
		return fmt.Errorf("%w: unknown checksum type (%d)", errChecksum, kind)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errRefusedBlock means that the DataNode refused: it has no such block, or the
// token has expired.
var errRefusedBlock = errors.New("the DataNode refused the block")

func describe(answer protoreflect.Message) string {
	status := get(answer, "status").Enum()
	name := fmt.Sprint(status)
	if v := answer.Descriptor().Fields().ByName("status").Enum().Values().ByNumber(status); v != nil {
		name = string(v.Name())
	}
	return name + " " + get(answer, "message").String()
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func (s *stream) answer() (protoreflect.Message, error) {
	length, err := binary.ReadUvarint(s.conn.buffer)
	if err != nil {
		return nil, unexpected(err)
	}
	if length > mostHeader<<6 {
		return nil, fmt.Errorf("%w: of %d bytes", errProtocol, length)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(s.conn.buffer, b); err != nil {
		return nil, unexpected(err)
	}
	answer, err := message("BlockOpResponseProto")
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(b, answer.Interface()); err != nil {
		return nil, fmt.Errorf("%w: %v", errProtocol, err)
	}
	return answer, nil
}

// unexpected turns io.EOF into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// done reports whether the last byte was read.
func (s *stream) done() bool { return s.left == 0 && len(s.unread) == 0 }

// Read returns io.EOF at the part's end.
func (s *stream) Read(b []byte) (int, error) {
	if len(s.unread) == 0 {
		if s.left == 0 {
			return 0, io.EOF
		}
		n, err := s.packet(b)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", s.address, err)
		}
		if n > 0 {
			return n, nil
		}
	}
	n := copy(b, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// packet reads and verifies a packet, and after the last byte also the end of
// the operation. It writes the bytes to b and returns their count if all of
// them are wanted and fit; otherwise they are left in unread.
func (s *stream) packet(b []byte) (int, error) {
	size, last, err := s.header()
	switch {
	case err != nil:
		return 0, err
	case last || size <= s.skip:
		return 0, fmt.Errorf("%w: it ends %d bytes early", io.ErrUnexpectedEOF, s.left)
	case int64(size-s.skip) > s.left+int64(s.chunk):
		return 0, fmt.Errorf("%w: %d bytes where %d are left", errProtocol, size-s.skip, s.left)
	}
	data := b
	direct := s.skip == 0 && int64(size) <= s.left && size <= len(b)
	if !direct {
		s.data = grow(s.data, size)
		data = s.data
	}
	if err := s.fill(data[:size]); err != nil {
		return 0, err
	}
	// The requested range may end within a chunk, which is sent whole.
	data = data[s.skip:size]
	data = data[:min(int64(len(data)), s.left)]
	s.skip = 0
	if s.left -= int64(len(data)); s.left == 0 {
		if err := s.finish(); err != nil {
			return 0, err
		}
	}
	if direct {
		return len(data), nil
	}
	s.unread = data
	return 0, nil
}

// fill reads a packet's data and compares it with the preceding checksums.
func (s *stream) fill(data []byte) error {
	s.sums = grow(s.sums, (len(data)+s.chunk-1)/s.chunk*4)
	for _, part := range [][]byte{s.sums, data} {
		if _, err := io.ReadFull(s.conn.buffer, part); err != nil {
			return unexpected(err)
		}
	}
	for sums := s.sums; len(data) > 0; sums = sums[4:] {
		n := min(s.chunk, len(data))
		if crc32.Checksum(data[:n], s.table) != binary.BigEndian.Uint32(sums) {
			return errChecksum
		}
		data = data[n:]
	}
	return nil
}

// header reads the part before a packet's checksums and data: its length in
// four bytes, the header's length in two, and the header.
func (s *stream) header() (size int, last bool, err error) {
	var lengths [6]byte
	if _, err := io.ReadFull(s.conn.buffer, lengths[:]); err != nil {
		return 0, false, unexpected(err)
	}
	n := int(binary.BigEndian.Uint16(lengths[4:]))
	if n > mostHeader {
		return 0, false, fmt.Errorf("%w: a packet header of %d bytes", errProtocol, n)
	}
	var header [mostHeader]byte
	if _, err := io.ReadFull(s.conn.buffer, header[:n]); err != nil {
		return 0, false, unexpected(err)
	}
	size, last, err = parseHeader(header[:n])
	if err == nil && (size < 0 || size > mostPacket) {
		err = fmt.Errorf("%w: a packet of %d bytes", errProtocol, size)
	}
	return size, last, err
}

// parseHeader parses a PacketHeaderProto: the number of data bytes, and whether
// the packet is the empty last one.
func parseHeader(b []byte) (size int, last bool, err error) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, false, fmt.Errorf("%w: packet header: %w", errProtocol, protowire.ParseError(n))
		}
		b = b[n:]
		switch {
		case field == 3 && kind == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			last = v != 0
		case field == 4 && kind == protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			size = int(int32(v))
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return 0, false, fmt.Errorf("%w: packet header: %w", errProtocol, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return size, last, nil
}

// finish reads the empty last packet, acknowledges it, and keeps the connection
// for the next operation.
func (s *stream) finish() error {
	size, last, err := s.header()
	if err != nil {
		return err
	}
	if !last || size != 0 {
		return fmt.Errorf("%w: %d bytes more than requested", errProtocol, size)
	}
	if _, err := s.conn.Write([]byte{2, 1 << 3, checksumOK}); err != nil { // ClientReadStatusProto
		return err
	}
	if s.stop() { // otherwise it is being closed
		s.nodes.put(s.conn)
	}
	s.conn = nil
	return nil
}

// close aborts an unfinished operation. It may be called twice, and for nil.
func (s *stream) close() {
	if s != nil && s.conn != nil {
		s.stop()
		s.conn.Close()
		s.conn = nil
	}
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

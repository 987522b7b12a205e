package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Open reads a file from an offset to its end. The Reader gives io.EOF after
// the last byte of the size that the file had when it was opened, and at no
// other place. The context bounds the reading too.
//
// It costs the NameNode one call, which says at once whether the user may read
// the file and what blocks it is made of. Whatever becomes of the path, only
// those blocks are read.
func (c *Client) Open(ctx context.Context, path string, offset int64) (*Reader, error) {
	if offset < 0 {
		return nil, pathError("open", path, fmt.Errorf("%w: offset %d", fs.ErrInvalid, offset))
	}
	r := &Reader{client: c, ctx: ctx, path: path, piece: firstPiece, retries: c.retrying(ctx)}
	if err := c.call(ctx, "open", path, func(s *session) (err error) {
		r.file, err = c.locate(s, path)
		return err
	}); err != nil {
		return nil, err
	}
	r.offset = min(offset, r.file.size)
	return r, nil
}

// A DataNode sends all that it is asked for, whether or not it is read: one that
// is asked for a whole block by who reads a little of it fills connections for
// nothing, and loses one. So it is asked for a piece at first, and for more each
// time that is read to its end.
const (
	firstPiece  = 4 << 20
	pieceGrowth = 4
	lastPiece   = firstPiece << 10 // above the blocks of most clusters
)

// A Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	client *Client
	ctx    context.Context
	path   string
	file   layout // as it was when it was opened
	offset int64

	stream *stream // of the block that the offset is in; nil when it is to be asked for
	// piece is up to which multiple of it a DataNode is asked for bytes next.
	piece int64
	// block is that block, nil before it is begun, and untried the DataNodes
	// that may still be asked for it.
	block   *block
	untried []string
	// stale says that the NameNode has to be asked anew where the blocks are.
	stale   bool
	retries *retries
	corrupt int // attempts in a row that met a wrong checksum
	ended   error
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	for r.ended == nil {
		if r.offset == r.file.size {
			r.ended = io.EOF
			break
		}
		if len(b) == 0 {
			return 0, nil
		}
		n, err := r.attempt(b)
		if err == nil {
			r.offset += int64(n)
			r.retries.progress()
			r.corrupt = 0
			return n, nil
		}
		if err = r.again(err); err != nil {
			r.ended = pathError("read", r.path, err)
		}
	}
	return 0, r.ended
}

// attempt reads some bytes, or tells why none can be believed.
func (r *Reader) attempt(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	if r.stream == nil {
		if err := r.connect(); err != nil {
			return 0, err
		}
	}
	n, err := r.stream.Read(b)
	if err != nil {
		r.failed(r.stream.address)
		r.disconnect()
		return 0, err
	}
	if r.stream.done() {
		r.disconnect()
		r.block = nil
		r.piece = min(r.piece*pieceGrowth, lastPiece)
	}
	return n, nil
}

// connect asks the next DataNode for the block.
func (r *Reader) connect() error {
	if r.stale {
		if err := r.locate(); err != nil {
			return err
		}
		r.stale, r.block = false, nil
	}
	if r.block == nil {
		if r.block = r.file.at(r.offset); r.block == nil {
			return fmt.Errorf("%w: no block has byte %d", errProtocol, r.offset)
		}
		r.untried = r.client.dataNodes.order(r.block.nodes)
	}
	if len(r.untried) == 0 {
		return errNoDataNode
	}
	node := r.untried[0]
	r.untried = r.untried[1:]
	offset := r.offset - r.block.offset
	s, err := r.client.readBlock(r.ctx, node, r.block, offset, min(r.block.size-offset, r.piece-r.offset%r.piece))
	if err != nil {
		r.failed(node)
		return err
	}
	r.stream = s
	return nil
}

// failed notes that a DataNode did not give the block, unless nobody waits for
// it any more.
func (r *Reader) failed(node string) {
	if r.ctx.Err() == nil {
		r.client.dataNodes.fail(node)
	}
}

var errNoDataNode = errors.New("no DataNode that is known has the block")

// locate asks where the blocks are by now, if they still are the file's.
func (r *Reader) locate() error {
	var now layout
	if err := translate(r.client.attempt(r.ctx, func(s *session) (err error) {
		now, err = r.client.locate(s, r.path)
		return err
	})); err != nil {
		return err
	}
	if !now.same(r.file) {
		return ErrReplaced
	}
	r.file = now
	return nil
}

// mostCorrupt is how many replicas' reads are given up before the file is: more
// than a file usually has.
const mostCorrupt = 6

// again gives nil when there is a way to go on: the block's other DataNodes at
// once, and all of them once more after a while.
func (r *Reader) again(err error) error {
	if errors.Is(err, errChecksum) {
		if r.corrupt++; r.corrupt == mostCorrupt {
			return fmt.Errorf("%w: its replicas fail their checksums at %d: see hdfs fsck", ErrRefused, r.offset)
		}
	}
	if len(r.untried) > 0 && r.ctx.Err() == nil && judge(err) == transient {
		return nil
	}
	r.stale = true
	return r.retries.next(err)
}

func (r *Reader) disconnect() {
	if r.stream != nil {
		r.stream.close()
		r.stream = nil
	}
}

// Close ends the reading. It may be called twice.
func (r *Reader) Close() error {
	if r.ended == nil {
		r.ended = fs.ErrClosed
	}
	r.disconnect()
	return nil
}

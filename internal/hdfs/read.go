package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Open reads a file from an offset to its end. The Reader returns io.EOF
// exactly at the size that the file had when it was opened. The context also
// bounds the reading.
//
// It costs the NameNode one call, which checks the permission and returns the
// file's blocks. Only those blocks are read, whatever happens to the path.
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

// A DataNode sends everything that was requested, even if the reader stops.
// Requesting a whole block to read a little of it wastes bandwidth and the
// connection. So the first request is for a small piece, and each piece that is
// read to its end makes the next one larger.
const (
	firstPiece  = 4 << 20
	pieceGrowth = 4
	lastPiece   = firstPiece << 10 // above the block size of most clusters
)

// A Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	client *Client
	ctx    context.Context
	path   string
	file   layout // as of opening
	offset int64

	stream *stream // of the block at the offset; nil until requested
	// piece is the size to which the next request is aligned.
	piece int64
	// block is the current block, nil before its first request. untried are the
	// DataNodes not yet tried for it.
	block   *block
	untried []string
	// stale means that the NameNode must be asked again for the blocks'
	// locations.
	stale   bool
	retries *retries
	corrupt int // consecutive attempts with a wrong checksum
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

// attempt reads some verified bytes or returns an error.
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
		r.stream.close()
		r.stream = nil
		return 0, err
	}
	if r.stream.done() {
		r.stream.close()
		r.stream = nil
		r.block = nil
		r.piece = min(r.piece*pieceGrowth, lastPiece)
	}
	return n, nil
}

// connect requests the block from the next DataNode.
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

// failed records that a DataNode did not deliver the block, unless the context
// has ended.
func (r *Reader) failed(node string) {
	if r.ctx.Err() == nil {
		r.client.dataNodes.fail(node)
	}
}

var errNoDataNode = errors.New("no known DataNode has the block")

// locate updates the blocks' locations and checks that the file is unchanged.
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

// mostCorrupt is how many corrupt replicas are tried before the read fails:
// more than a file usually has.
const mostCorrupt = 6

// again returns nil if reading can continue: with the block's other DataNodes
// at once, or with all of them after a wait.
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

// Close ends the read. It may be called twice.
func (r *Reader) Close() error {
	if r.ended == nil {
		r.ended = fs.ErrClosed
	}
	r.stream.close()
	return nil
}

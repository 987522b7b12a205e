package hdfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"slices"
	"strconv"
	"unsafe"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"
)

// A layout is the list of a file's blocks at the time of the call. Blocks are
// immutable: an unchanged file keeps its blocks, and equal blocks mean the same
// file.
type layout struct {
	size   int64
	blocks []block
}

// A block is a part of a file.
type block struct {
	id     uint64
	stamp  uint64 // generation stamp, changed by appending and truncating
	offset int64  // in the file
	size   int64
	nodes  []string // addresses of the DataNodes that have it, nearest first
	// name and token are sent to a DataNode, encoded.
	name, token []byte
	// credential is the token in the library's type.
	credential unsafe.Pointer
}

// locate requests a file's blocks. It fails for users who may not read the
// file.
func (c *Client) locate(s *session, path string) (layout, error) {
	answer, err := execute(s.lib, "getBlockLocations", map[string]any{"src": path, "offset": uint64(0), "length": uint64(math.MaxInt64)})
	if err != nil {
		return layout{}, unreadable(s, path, err)
	}
	if !answer.Has(answer.Descriptor().Fields().ByName("locations")) {
		return layout{}, fs.ErrNotExist
	}
	located, err := typed((*hdfs.FileStatus).GetLocations, get(answer, "locations").Message())
	switch {
	case err != nil:
		return layout{}, err
	case located.GetFileEncryptionInfo() != nil:
		return layout{}, errEncrypted
	case located.GetEcPolicy() != nil:
		return layout{}, errCoded
	case located.GetUnderConstruction():
		return layout{}, errOpen
	}
	l := layout{size: int64(located.GetFileLength())}
	end := int64(0)
	for _, b := range located.GetBlocks() {
		found := block{id: b.GetB().GetBlockId(), stamp: b.GetB().GetGenerationStamp(), offset: int64(b.GetOffset()), size: int64(b.GetB().GetNumBytes()), credential: unsafe.Pointer(b.GetBlockToken())}
		if found.offset != end || found.size <= 0 {
			return layout{}, fmt.Errorf("%w: a block of %d bytes at %d, after %d bytes", errProtocol, found.size, found.offset, end)
		}
		end += found.size
		for _, node := range b.GetLocs() {
			host := node.GetId().GetIpAddr()
			if c.settings.options.UseDatanodeHostname {
				host = node.GetId().GetHostName()
			}
			found.nodes = append(found.nodes, net.JoinHostPort(host, strconv.Itoa(int(node.GetId().GetXferPort()))))
		}
		if found.name, err = proto.Marshal(b.GetB()); err != nil {
			return layout{}, err
		}
		if found.token, err = proto.Marshal(b.GetBlockToken()); err != nil {
			return layout{}, err
		}
		l.blocks = append(l.blocks, found)
	}
	if end != l.size {
		return layout{}, fmt.Errorf("%w: a file of %d bytes with %d in its blocks", errProtocol, l.size, end)
	}
	return l, nil
}

// unreadable explains, from its status, why a path has no blocks: it is a
// directory or a link.
func unreadable(s *session, path string, err error) error {
	if t := translate(err); judge(t) == transient || errors.Is(t, fs.ErrPermission) {
		return err
	}
	if info, statErr := stat(s, path); statErr == nil {
		if refused := info.Openable(0); refused != nil {
			return refused
		}
	}
	return err
}

// at returns the block that contains an offset.
func (l layout) at(offset int64) *block {
	i, found := slices.BinarySearchFunc(l.blocks, offset, func(b block, offset int64) int {
		switch {
		case b.offset > offset:
			return 1
		case b.offset+b.size <= offset:
			return -1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &l.blocks[i]
}

// same reports whether two layouts are of the same, unchanged file.
func (l layout) same(other layout) bool {
	return l.size == other.size && slices.EqualFunc(l.blocks, other.blocks, func(a, b block) bool { return a.id == b.id && a.stamp == b.stamp && a.size == b.size })
}

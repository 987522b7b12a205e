package network

// The file of a network, version 1. Integers are little-endian.
//
//	offset  size  content
//	0       8     magic "tkitnet1"
//	8       8     length H of the header
//	16      8     length G of the graph
//	24      H     header: compact JSON, see type header
//	24+H    G     graph: a tensorflow.GraphDef, deterministically serialised
//	…             weights in the header's order, each at the next multiple of
//	              64 bytes, zeros between
//
// Weights have no offsets: their positions follow from their types and shapes,
// so they cannot overlap, and equal networks have equal files. The alignment is
// that of TensorFlow's buffers, so that a reader can map the file and use the
// weights in place. Nothing follows the last weight.

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

const (
	magic     = "tkitnet1"
	preamble  = len(magic) + 8 + 8
	alignment = 64

	maxHeader = 64 << 20
	maxGraph  = 1<<31 - 1 // the limit of protocol buffers
)

// ErrFormat is wrapped by the errors of [Decode] and [Open] for invalid network
// files.
var ErrFormat = errors.New("not a valid network file")

// header describes the bytes that follow it. Types are TensorFlow's numbers.
type header struct {
	Inputs  []headerTensor `json:"inputs"`
	Outputs []headerTensor `json:"outputs"`
	Weights []headerWeight `json:"weights"`
}

// headerTensor is the JSON form of a [TensorInfo]. An unknown rank is null.
type headerTensor struct {
	Name     string              `json:"name"`
	Tensor   string              `json:"tensor"`
	DataType tensorflow.DataType `json:"type"`
	Shape    []int64             `json:"shape"`
}

// headerWeight is the JSON form of a [Weight] without its data.
type headerWeight struct {
	Name      string              `json:"name"`
	DataType  tensorflow.DataType `json:"type"`
	Shape     []int64             `json:"shape"`
	Trainable bool                `json:"trainable"`
}

// Encode writes n as one file. Equal networks give equal bytes, and the
// SHA-256 of the bytes is the network's digest. It fails if n is not valid.
func (n *Network) Encode(w io.Writer) error {
	if err := n.Validate(); err != nil {
		return fmt.Errorf("encode network: %w", err)
	}
	head, err := json.Marshal(n.header())
	if err != nil {
		return fmt.Errorf("encode network: %w", err)
	}
	graph, err := proto.MarshalOptions{Deterministic: true}.Marshal(n.Graph)
	if err != nil {
		return fmt.Errorf("encode network: %w", err)
	}
	if len(head) > maxHeader || len(graph) > maxGraph {
		return fmt.Errorf("encode network: header of %d or graph of %d bytes is too large", len(head), len(graph))
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	start := make([]byte, preamble)
	copy(start, magic)
	binary.LittleEndian.PutUint64(start[len(magic):], uint64(len(head)))
	binary.LittleEndian.PutUint64(start[len(magic)+8:], uint64(len(graph)))
	offset := 0
	for _, part := range [][]byte{start, head, graph} {
		buf.Write(part) // a bufio.Writer keeps its first error for Flush
		offset += len(part)
	}
	var zeros [alignment]byte
	for _, weight := range n.Weights {
		pad := padding(offset)
		buf.Write(zeros[:pad])
		if _, err := buf.Write(weight.Data); err != nil {
			return fmt.Errorf("encode network: %w", err)
		}
		offset += pad + len(weight.Data)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("encode network: %w", err)
	}
	return nil
}

// Digest returns "sha256:" and the hexadecimal SHA-256 of Encode's bytes.
func (n *Network) Digest() (string, error) {
	h := sha256.New()
	if err := n.Encode(h); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// Decode reads a network from Encode's bytes, whose weights it aliases. The
// result is valid; errors wrap [ErrFormat].
func Decode(b []byte) (*Network, error) {
	n, err := decode(b)
	if err == nil {
		err = n.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return n, nil
}

func decode(b []byte) (*Network, error) {
	if len(b) < preamble || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("the file does not begin with %q", magic)
	}
	headLen := binary.LittleEndian.Uint64(b[len(magic):])
	graphLen := binary.LittleEndian.Uint64(b[len(magic)+8:])
	if rest := uint64(len(b) - preamble); headLen > maxHeader || graphLen > maxGraph || headLen+graphLen > rest {
		return nil, fmt.Errorf("header of %d and graph of %d bytes do not fit in the remaining %d bytes", headLen, graphLen, rest)
	}
	offset := preamble + int(headLen)
	head, err := parseHeader(b[preamble:offset])
	if err != nil {
		return nil, err
	}
	n := head.network()
	n.Graph = new(graphpb.GraphDef)
	if err := proto.Unmarshal(b[offset:offset+int(graphLen)], n.Graph); err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	offset += int(graphLen)
	for _, w := range n.Weights {
		size, err := byteSize(w.DataType, w.Shape)
		if err != nil {
			return nil, fmt.Errorf("weight %q: %w", w.Name, err)
		}
		pad := padding(offset)
		if left := int64(len(b) - offset); int64(pad) > left || size > left-int64(pad) {
			return nil, fmt.Errorf("truncated: weight %q needs %d bytes at offset %d, the file has %d bytes", w.Name, size, offset+pad, len(b))
		}
		if len(bytes.Trim(b[offset:offset+pad], "\x00")) > 0 {
			return nil, fmt.Errorf("bytes before weight %q are not zero", w.Name)
		}
		offset += pad
		w.Data = b[offset : offset+int(size) : offset+int(size)]
		offset += int(size)
	}
	if offset != len(b) {
		return nil, fmt.Errorf("%d bytes follow the last weight", len(b)-offset)
	}
	return n, nil
}

// parseHeader parses a header and accepts only Encode's form, so that no two
// headers mean the same.
func parseHeader(b []byte) (header, error) {
	var h header
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	canonical, err := json.Marshal(h)
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	if !bytes.Equal(canonical, b) {
		return h, errors.New("header is not in the canonical form")
	}
	return h, nil
}

func (n *Network) header() header {
	h := header{Inputs: headerTensors(n.Inputs), Outputs: headerTensors(n.Outputs), Weights: []headerWeight{}}
	for _, w := range n.Weights {
		h.Weights = append(h.Weights, headerWeight{w.Name, w.DataType, w.Shape, w.Trainable})
	}
	return h
}

func headerTensors(infos []TensorInfo) []headerTensor {
	list := []headerTensor{}
	for _, t := range infos {
		list = append(list, headerTensor(t))
	}
	return list
}

// network returns the network described by h, without graph and data.
func (h header) network() *Network {
	n := new(Network)
	for _, t := range h.Inputs {
		n.Inputs = append(n.Inputs, TensorInfo(t))
	}
	for _, t := range h.Outputs {
		n.Outputs = append(n.Outputs, TensorInfo(t))
	}
	for _, w := range h.Weights {
		n.Weights = append(n.Weights, &Weight{Name: w.Name, DataType: w.DataType, Shape: w.Shape, Trainable: w.Trainable})
	}
	return n
}

// padding returns the bytes from offset to the next multiple of the alignment.
func padding(offset int) int { return -offset & (alignment - 1) }

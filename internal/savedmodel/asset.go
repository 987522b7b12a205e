package savedmodel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strconv"
	"syscall"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

const (
	assetsFolder = "assets"
	// maxAsset is the maximal size in bytes of an asset that fills a table,
	// maxEntries the maximal number of entries of the table.
	maxAsset   = 1 << 28
	maxEntries = 1 << 24
)

// assetReader reads each asset of a model once. It follows no links out of the
// model's folder.
type assetReader struct {
	dir      string
	root     *os.Root
	contents map[string][]byte
}

func (a *assetReader) close() {
	if a.root != nil {
		a.root.Close()
	}
}

// table reads the table that a node creates from an asset.
func (a *assetReader) table(name string, n *nodepb.NodeDef, key, value tensorflow.DataType) (textTable, error) {
	content, ok := a.contents[name]
	if !ok {
		var err error
		if content, err = a.read(name); err != nil {
			return textTable{}, err
		}
		if a.contents == nil {
			a.contents = map[string][]byte{}
		}
		a.contents[name] = content
	}
	f, err := textFormatOf(n)
	if err != nil {
		return textTable{}, err
	}
	return f.parse(content, key, value)
}

func (a *assetReader) read(name string) ([]byte, error) {
	if a.root == nil {
		root, err := os.OpenRoot(a.dir)
		if err != nil {
			return nil, err
		}
		a.root = root
	}
	f, err := a.root.OpenFile(path.Join(assetsFolder, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > maxAsset {
		return nil, fmt.Errorf("it has %d bytes; the maximum is %d", info.Size(), maxAsset)
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// These columns stand for the whole line and the line number, with TensorFlow's
// values.
const (
	wholeLine  = -2
	lineNumber = -1
)

// textFormat describes how InitializeTableFromTextFileV2 creates keys and
// values from the lines of a file.
type textFormat struct {
	key, value int // columns
	size       int // lines to read; -1: all
	delimiter  byte
	offset     int64 // of line numbers
}

func textFormatOf(n *nodepb.NodeDef) (textFormat, error) {
	a := n.GetAttr()
	f := textFormat{key: int(a["key_index"].GetI()), value: int(a["value_index"].GetI()), size: -1, delimiter: '\t', offset: a["offset"].GetI()}
	if v := a["vocab_size"]; v != nil {
		f.size = int(v.GetI())
	}
	if d := a["delimiter"].GetS(); len(d) == 1 {
		f.delimiter = d[0]
	} else if len(d) > 1 {
		return f, fmt.Errorf("%w: node %q has the delimiter %q, not one byte", ErrUnsupported, n.GetName(), d)
	}
	if f.key < wholeLine || f.value < wholeLine || f.size < -1 {
		return f, fmt.Errorf("node %q has the columns %d and %d and the size %d", n.GetName(), f.key, f.value, f.size)
	}
	return f, nil
}

// textTable is the contents of a table.
type textTable struct{ keys, values column }

// column is a tensor of rank 1.
type column struct {
	dataType tensorflow.DataType
	count    int
	data     []byte   // numbers
	text     [][]byte // strings
}

// parse reads lines as TensorFlow does: they end with a line feed, and carriage
// returns are ignored.
func (f textFormat) parse(content []byte, key, value tensorflow.DataType) (textTable, error) {
	t := textTable{column{dataType: key}, column{dataType: value}}
	content = bytes.ReplaceAll(content, []byte{'\r'}, nil)
	n := 0
	for ; len(content) > 0 && n != f.size; n++ {
		if n == maxEntries {
			return t, fmt.Errorf("it has over %d lines", maxEntries)
		}
		line, rest, _ := bytes.Cut(content, []byte{'\n'})
		content = rest
		for _, side := range []struct {
			to     *column
			column int
		}{{&t.keys, f.key}, {&t.values, f.value}} {
			if err := side.to.add(line, side.column, n, f); err != nil {
				return t, fmt.Errorf("line %d: %w", n+1, err)
			}
		}
	}
	if f.size >= 0 && n < f.size {
		return t, fmt.Errorf("it has %d lines; the model requires %d", n, f.size)
	}
	return t, nil
}

// add adds the value of a line in a column.
func (c *column) add(line []byte, at, number int, f textFormat) error {
	c.count++
	switch {
	case at == lineNumber && c.dataType == tensorflow.Int64:
		c.data = binary.LittleEndian.AppendUint64(c.data, uint64(int64(number)+f.offset))
		return nil
	case at == lineNumber:
		return fmt.Errorf("a table of %v cannot have line numbers", c.dataType)
	case at >= 0:
		field, found := nth(line, f.delimiter, at)
		if !found {
			return fmt.Errorf("it has no column %d", at)
		}
		line = field
	}
	return c.parse(line)
}

// nth returns a field of a line.
func nth(line []byte, delimiter byte, n int) ([]byte, bool) {
	for ; n > 0; n-- {
		i := bytes.IndexByte(line, delimiter)
		if i < 0 {
			return nil, false
		}
		line = line[i+1:]
	}
	field, _, _ := bytes.Cut(line, []byte{delimiter})
	return field, true
}

// parse adds a value of the column's type.
func (c *column) parse(text []byte) error {
	var err error
	switch s := string(text); c.dataType {
	case tensorflow.String:
		c.text = append(c.text, text)
	case tensorflow.Int32, tensorflow.Int64:
		var v int64
		if v, err = strconv.ParseInt(s, 10, 8*c.dataType.Size()); c.dataType == tensorflow.Int32 {
			c.data = binary.LittleEndian.AppendUint32(c.data, uint32(v))
		} else {
			c.data = binary.LittleEndian.AppendUint64(c.data, uint64(v))
		}
	case tensorflow.Float32:
		var v float64
		v, err = strconv.ParseFloat(s, 32)
		c.data = binary.LittleEndian.AppendUint32(c.data, math.Float32bits(float32(v)))
	case tensorflow.Float64:
		var v float64
		v, err = strconv.ParseFloat(s, 64)
		c.data = binary.LittleEndian.AppendUint64(c.data, math.Float64bits(v))
	default:
		return fmt.Errorf("%w: a table of %v cannot be read from text", ErrUnsupported, c.dataType)
	}
	if err != nil {
		return fmt.Errorf("%.40q is not of type %v", text, c.dataType)
	}
	return nil
}

// Package bottlenecks caches the outputs of trunks, so that no image runs
// through the same trunk twice.
//
// The key of a bottleneck is the SHA-256 of the image's bytes, the digest of
// the trunk and the digest of the preprocessing: a change of any of them misses
// the cache. Each pair of trunk and preprocessing has a folder of segments,
// files of records of equal length. A process appends to its own segment, so
// any number of processes share a cache without locks. Records cut off by a
// crash are skipped, and a record with a wrong checksum counts as missing.
//
// Bottlenecks reveal information about their images: folders and files are
// readable only by their owner.
package bottlenecks

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	magic   = "tkitbot1"
	suffix  = ".segment"
	header  = len(magic) + sha256.Size + 4 // magic, identity, width
	trailer = 4                            // CRC-32C of a record's key and values
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the SHA-256 of an image's bytes.
type Sum = [sha256.Size]byte

// Cache holds the bottlenecks of one trunk and preprocessing. Its methods may
// be called concurrently; Close ends it.
type Cache struct {
	dir      string
	identity Sum
	width    int

	mu       sync.Mutex
	segments []*os.File
	index    map[Sum]place
	own      *os.File // nil until the first Put
	end      int64    // of own
	record   []byte
}

// place is the position of a record.
type place struct {
	segment int32
	offset  int64
}

// Open opens, or creates, the part of the cache in dir for a trunk and a
// preprocessing, given by their digests. Width is the length of a bottleneck.
func Open(dir, trunk, preprocessing string, width int) (*Cache, error) {
	if width < 1 || width > math.MaxInt32/8 {
		return nil, fmt.Errorf("bottleneck cache: bottlenecks of %d values", width)
	}
	identity := sha256.Sum256([]byte(trunk + "\n" + preprocessing))
	c := &Cache{
		dir: filepath.Join(dir, hex.EncodeToString(identity[:16])), identity: identity, width: width,
		index: make(map[Sum]place), record: make([]byte, RecordSize(width)),
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("bottleneck cache: %w", err)
	}
	if err := c.use(); err != nil {
		return nil, fmt.Errorf("bottleneck cache: %w", err)
	}
	if err := c.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("bottleneck cache: %w", err), c.Close())
	}
	return c, nil
}

// use sets the time of the last use, for Prune.
func (c *Cache) use() error {
	now := time.Now()
	return os.Chtimes(c.dir, now, now)
}

// Renew counts as another opening, and reports whether the cache is still there: what is
// put after it was removed is lost, until it is opened again.
func (c *Cache) Renew() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		if _, err := os.Stat(c.own.Name()); err != nil {
			return false
		}
	}
	return c.use() == nil
}

// RecordSize is the number of bytes on disk of a bottleneck of some width.
func RecordSize(width int) int64 { return int64(sha256.Size + 4*width + trailer) }

// scan reads the keys of all complete records.
func (c *Cache) scan() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		f, err := os.Open(filepath.Join(c.dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // another process created it but stored nothing
		}
		if err != nil {
			return err
		}
		if !c.belongs(f) {
			if err := f.Close(); err != nil {
				return err
			}
			continue
		}
		c.segments = append(c.segments, f)
		if err := c.keys(f, int32(len(c.segments)-1)); err != nil {
			return err
		}
	}
	return nil
}

// belongs reports whether a segment's header is complete and matches this
// cache.
func (c *Cache) belongs(f *os.File) bool {
	b := make([]byte, header)
	if _, err := f.ReadAt(b, 0); err != nil {
		return false
	}
	return string(b) == string(c.header())
}

func (c *Cache) header() []byte {
	b := append([]byte(magic), c.identity[:]...)
	return binary.LittleEndian.AppendUint32(b, uint32(c.width))
}

func (c *Cache) keys(f *os.File, segment int32) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	length := int64(len(c.record))
	for at := int64(header); at+length <= info.Size(); at += length {
		var key Sum
		if _, err := f.ReadAt(key[:], at); err != nil {
			return err
		}
		c.index[key] = place{segment, at}
	}
	return nil
}

// Get returns an image's bottleneck. A damaged or unreadable record counts as
// missing: the caller computes it again, and Put replaces it.
func (c *Cache) Get(image Sum) ([]float32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.index[image]
	if !ok {
		return nil, false
	}
	b := c.record
	if _, err := c.segments[at.segment].ReadAt(b, at.offset); err != nil || !intact(b, image) {
		delete(c.index, image)
		return nil, false
	}
	values := make([]float32, c.width)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[sha256.Size+4*i:]))
	}
	return values, true
}

func intact(record []byte, image Sum) bool {
	body := record[:len(record)-trailer]
	return Sum(record[:sha256.Size]) == image &&
		crc32.Checksum(body, castagnoli) == binary.LittleEndian.Uint32(record[len(body):])
}

// Put stores an image's bottleneck unless it is already stored.
func (c *Cache) Put(image Sum, values []float32) error {
	if len(values) != c.width {
		return fmt.Errorf("bottleneck cache: %d values, want %d", len(values), c.width)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.index[image]; ok {
		return nil
	}
	if c.own == nil {
		if err := c.begin(); err != nil {
			return fmt.Errorf("bottleneck cache: %w", err)
		}
	}
	b := append(c.record[:0], image[:]...)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := c.own.WriteAt(b, c.end); err != nil {
		return fmt.Errorf("bottleneck cache: %w", err)
	}
	c.index[image] = place{int32(len(c.segments) - 1), c.end}
	c.end += int64(len(b))
	return nil
}

// begin starts this process's segment.
func (c *Cache) begin() error {
	f, err := os.CreateTemp(c.dir, "*"+suffix)
	if err != nil {
		return err
	}
	if _, err := f.Write(c.header()); err != nil {
		return errors.Join(err, f.Close())
	}
	c.own, c.end = f, int64(header)
	c.segments = append(c.segments, f)
	return nil
}

// Close syncs the segment to disk and closes the files.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	if c.own != nil {
		errs = append(errs, c.own.Sync())
	}
	for _, f := range c.segments {
		errs = append(errs, f.Close())
	}
	c.segments, c.own, c.index = nil, nil, map[Sum]place{}
	return errors.Join(errs...)
}

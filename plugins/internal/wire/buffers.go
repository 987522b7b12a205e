package wire

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// Buffers caches the memory of one connection's messages. gRPC's own pool
// clears a buffer each time it is taken, and leaves large ones to the garbage
// collector: for batches that costs more than moving them. A buffer is returned
// with old content, so its user must overwrite all of it.
type Buffers struct {
	mu     sync.Mutex
	frames []*[]byte
	large  *[]byte
}

var _ mem.BufferPool = (*Buffers)(nil)

const (
	frameSize  = 16 << 10 // the largest piece of a message that gRPC sends
	keptFrames = 1024     // a window of flow control
	keptLarge  = 64 << 20
)

// Get returns a buffer of a given length.
func (b *Buffers) Get(length int) *[]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch last := len(b.frames) - 1; {
	case length > frameSize:
		if kept := b.large; kept != nil && cap(*kept) >= length {
			b.large = nil
			*kept = (*kept)[:length]
			return kept
		}
		buffer := make([]byte, length)
		return &buffer
	case last >= 0:
		frame := b.frames[last]
		b.frames = b.frames[:last]
		*frame = (*frame)[:length]
		return frame
	}
	buffer := make([]byte, length, frameSize)
	return &buffer
}

// Put returns a buffer that is no longer used.
func (b *Buffers) Put(buffer *[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch size := cap(*buffer); {
	case size == frameSize:
		if len(b.frames) < keptFrames {
			b.frames = append(b.frames, buffer)
		}
	case size > frameSize && size <= keptLarge && (b.large == nil || cap(*b.large) < size):
		b.large = buffer
	}
}

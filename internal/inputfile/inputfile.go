// Package inputfile reads files named by the user: images, configurations,
// pipelines.
package inputfile

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// MaxText is the maximal size of YAML and JSON files, in bytes.
const MaxText = 64 << 20

// Read returns the content of a file or pipe, such as a shell's <(...), of up
// to limit bytes. It does not wait for the writer of a named pipe, and ends
// with the context.
func Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe waits for its writer, and nothing
	// interrupts a read.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if kind := info.Mode().Type(); kind != 0 && kind != fs.ModeNamedPipe {
		return nil, fmt.Errorf("%s is neither a file nor a pipe", path)
	}
	// Closing the file ends a read from a pipe.
	defer context.AfterFunc(ctx, func() { f.Close() })()
	return readAll(f, path, limit)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return content, nil
}

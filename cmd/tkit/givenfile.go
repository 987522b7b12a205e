package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"tkit/datasets"
)

// maxText bounds the YAML and JSON files that a command is given, in bytes.
const maxText = 64 << 20

// readImage reads an image that is named on the command line.
func readImage(ctx context.Context, path string) ([]byte, error) {
	return readGiven(ctx, path, datasets.DefaultMaxBytes)
}

// readGiven reads what is named on the command line: a file, or a pipe such as a
// shell's <(...), of most bytes at most. It waits for no writer of a named pipe,
// and ends with the context.
func readGiven(ctx context.Context, path string, most int64) ([]byte, error) {
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
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return content, nil
}

package inputfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tkit/internal/inputfile"
)

const limit = 64 << 20

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("large"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(at("large"), limit+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:          "neither a file nor a pipe",
		"/dev/zero":  "neither a file nor a pipe",
		at("large"):  "more than",
		at("absent"): "no such file",
	} {
		if _, err := inputfile.Read(t.Context(), path, limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if b, err := inputfile.Read(t.Context(), at("pipe"), limit); err != nil || len(b) > 0 {
		t.Errorf("a pipe without a writer: %d bytes, %v", len(b), err)
	}
}

func TestReadFromPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() {
		_, err := inputfile.Read(ctx, path, limit)
		read <- err
	}()
	cancel()
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("ended by the context: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	pipe, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	want := bytes.Repeat([]byte("image"), 1000)
	go func() {
		_, _ = writer.Write(want)
		_ = writer.Close()
	}()
	if b, err := inputfile.Read(t.Context(), fmt.Sprintf("/proc/self/fd/%d", pipe.Fd()), limit); err != nil || !bytes.Equal(b, want) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

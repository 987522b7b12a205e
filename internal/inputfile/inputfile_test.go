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

func TestReadStandard(t *testing.T) {
	given := os.Stdin
	t.Cleanup(func() { os.Stdin = given })
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, []byte("an image"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	os.Stdin = file
	if got, err := inputfile.ReadStandard(t.Context(), limit); err != nil || string(got) != "an image" {
		t.Errorf("a file: %q, %v", got, err)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	os.Stdin = r
	ctx, cancel := context.WithCancel(t.Context())
	go cancel() // while nothing is written
	if _, err := inputfile.ReadStandard(ctx, limit); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by the context: %v", err)
	}
	if _, err := w.WriteString("an image"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := inputfile.ReadStandard(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("more than the limit: %v", err)
	}

	// As the pipe of another user, a socket cannot be opened again by a name.
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	peer, socket := os.NewFile(uintptr(pair[0]), "peer"), os.NewFile(uintptr(pair[1]), "socket")
	defer socket.Close()
	if _, err := peer.WriteString("an image"); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	os.Stdin = socket
	if got, err := inputfile.ReadStandard(t.Context(), limit); err != nil || string(got) != "an image" {
		t.Errorf("a socket: %q, %v", got, err)
	}

	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Stdin = null
	if _, err := inputfile.ReadStandard(t.Context(), limit); err == nil {
		t.Error("a device is read")
	}
}

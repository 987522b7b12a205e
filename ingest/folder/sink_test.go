package folder_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"tkit/ingest/folder"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sink")
	s, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	image := []byte("image")
	sum := sha256.Sum256(image)
	var all errgroup.Group
	for i := range 20 { // the same image at the same time
		all.Go(func() error { return s.Write(t.Context(), sum, ".jpg", image, fmt.Appendf(nil, `{"n": %02d}`, i)) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), sum, ".jpg", image, []byte(`{"n": 99}`)); err != nil {
		t.Fatal(err)
	}
	name := hex.EncodeToString(sum[:])
	base := filepath.Join(path, name[:2], name)
	for suffix, want := range map[string]string{".jpg": "image", ".json": `{"n": 99}`} {
		if got, err := os.ReadFile(base + suffix); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", suffix, got, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(base)); err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// An image of another size under the name is torn, by another program: it is replaced.
func TestWriteReplacesTornImage(t *testing.T) {
	path := t.TempDir()
	s, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	image := []byte("image")
	sum := sha256.Sum256(image)
	name := hex.EncodeToString(sum[:])
	torn := filepath.Join(path, name[:2], name+".jpg")
	if err := os.MkdirAll(filepath.Dir(torn), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(torn, image[:2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), sum, ".jpg", image, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(torn); err != nil || !bytes.Equal(got, image) {
		t.Errorf("read %q, %v", got, err)
	}
}

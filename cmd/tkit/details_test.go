package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// turnByEXIF gives a PNG the orientation of a camera that was held upright.
func turnByEXIF(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body := "eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)-4)), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE([]byte(body)))
	at := bytes.Index(b, []byte("IDAT")) - 4
	if err := os.WriteFile(path, append(append(bytes.Clone(b[:at]), chunk...), b[at:]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the preprocessing leaves unused is said where images are trained on and
// where they are asked about.
func TestUnusedOrientationIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, data := filepath.Join(dir, "home"), filepath.Join(dir, "data")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	images, err := filepath.Glob(filepath.Join(data, "*", "*.png"))
	if err != nil || len(images) < 20 {
		t.Fatal(len(images), err)
	}
	for _, path := range images[:7] {
		turnByEXIF(t, path)
	}
	const want = "not upright unless turned by their EXIF orientation"
	if out := mustRun(t, home, "datasets", "check", data); !strings.Contains(out, "turned    7 by their EXIF orientation") {
		t.Errorf("check says\n%s", out)
	}
	_, status, err := tkit(t, home, "train", "--architecture", "lenet5", "--epochs", "1", "--data", data, "--name", "digits", "--look-alikes", "ignore")
	if err != nil || strings.Count(status, want) != 1 || !strings.Contains(status, "warning: 7 of ") {
		t.Errorf("%v: training says\n%s", err, status)
	}
	_, status, err = tkit(t, home, "predict", "--model", "digits@1", images[0], images[8], images[9])
	if err != nil || !strings.Contains(status, "warning: 1 of 3 images, such as "+images[0]) || !strings.Contains(status, want) {
		t.Errorf("%v: predict says\n%s", err, status)
	}
}

package launch

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// The launcher is in memory, byte for byte, and immutable.
func TestLauncherIsSealed(t *testing.T) {
	content := carried
	if content == nil {
		content = []byte("without the build tag there is none")
	}
	file, err := inMemory(content)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("written to: %v", err)
	}
	if err := file.Truncate(1); !errors.Is(err, unix.EPERM) {
		t.Errorf("cut: %v", err)
	}
	there, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<30))
	if err != nil || string(there) != string(content) {
		t.Errorf("it has %d bytes, want %d: %v", len(there), len(content), err)
	}
}

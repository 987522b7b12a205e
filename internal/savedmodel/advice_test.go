package savedmodel_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/savedmodel"
)

// Other formats given instead of a SavedModel are identified.
func TestReadNamesOtherFormats(t *testing.T) {
	for _, tt := range []struct{ path, content, says string }{
		{"frozen.pb", "\x0a\x10\x0a\x01x\x12\x0bPlaceholder", "frozen graph"},
		{"model.h5", "\x89HDF\r\n\x1a\n", "model.export"},
		{"weights", "\x89HDF\r\n\x1a\n", "HDF5"},
		{"model.keras", "PK\x03\x04", "Keras model"},
		{"model.tflite", "\x1c\x00\x00\x00TFL3\x00\x00", "TensorFlow Lite"},
		{"model.onnx", "\x08\x08", "ONNX"},
		{"model.pth", "PK\x03\x04", "PyTorch"},
		{"model.safetensors", "{}", "weights without a graph"},
		{"model.tar.gz", "\x1f\x8b", "unpack"},
		{"saved_model.pb", "\x08\x01", "give the folder"},
		{"renamed/saved_model.pb", "\x0a\x10\x0a\x01x\x12\x0bPlaceholder", "frozen graph"},
		{"checkpoint/model.ckpt-7.index", "x", "weights but no graph"},
		{"hub/1/saved_model.pb", "x", "hub/1"},
		{"folder/frozen.pb", "\x0a\x10\x0a\x01x", "frozen graph"},
		{"keras/config.json", "{}", "model.export"},
		{"web/model.json", "{}", "TensorFlow.js"},
	} {
		t.Run(strings.ReplaceAll(tt.path, "/", " "), func(t *testing.T) {
			root := t.TempDir()
			path := filepath.Join(root, tt.path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(tt.content), 0o644)); err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(tt.path, "/")
			_, err := savedmodel.Read(t.Context(), filepath.Join(root, first), savedmodel.Options{})
			if !errors.Is(err, savedmodel.ErrNotSavedModel) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want that it says %q", err, tt.says)
			}
		})
	}
}

package savedmodel

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	exportInKeras = "load it in Keras and save it by model.export(FOLDER)"
	frozenGraph   = "a frozen graph (GraphDef), not a SavedModel; give the file itself, with the ending .pb"
	checkpoint    = "part of a checkpoint, which has weights but no graph; load it into its model, and save that by model.export(FOLDER) or tf.saved_model.save"
	pyTorch       = "a PyTorch file; import its weights as a base of one of tkit's architectures, or convert the model through ONNX to a SavedModel, for instance with onnx2tf"
)

// byEnding describes files by extension, for formats without a signature in
// their first bytes.
var byEnding = map[string]string{
	".keras":       "a Keras model; " + exportInKeras,
	".onnx":        "an ONNX model; convert it to a SavedModel, for instance with onnx2tf",
	".pt":          pyTorch,
	".pth":         pyTorch,
	".safetensors": "a file of weights without a graph; import it as a base of one of tkit's architectures, or load it into its model and export that as a SavedModel",
	".index":       checkpoint,
	".meta":        checkpoint,
	".ckpt":        checkpoint,
	".gz":          "an archive; unpack it first",
	".tgz":         "an archive; unpack it first",
	".tar":         "an archive; unpack it first",
	".zip":         "an archive; unpack it first",
}

// fileKind describes a file given instead of a SavedModel, with the remedy, or
// returns "" if it is unknown.
func fileKind(path string) string {
	head := make([]byte, 16)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() { // opening a pipe would block
		if f, err := os.Open(path); err == nil {
			n, _ := io.ReadFull(f, head) // a short file has no signature
			head = head[:n]
			f.Close()
		}
	}
	name, ending := filepath.Base(path), strings.ToLower(filepath.Ext(path))
	switch {
	case bytes.HasPrefix(head, []byte("\x89HDF")) || ending == ".h5" || ending == ".hdf5":
		return "an HDF5 file, as Keras writes models or weights; " + exportInKeras
	case len(head) >= 8 && string(head[4:8]) == "TFL3":
		return "a TensorFlow Lite model; use the SavedModel that it was converted from"
	case ending == ".pb" && isGraphDef(head):
		return frozenGraph
	case name == modelFile:
		return "the main file of a SavedModel; give the folder that contains it"
	case ending == ".pb":
		return "not a SavedModel by its name; give a folder with a " + modelFile
	case name == "checkpoint" || strings.Contains(name, ".data-00000-of-"):
		return checkpoint
	case name == "model.json":
		return "a TensorFlow.js model; use the SavedModel that it was converted from"
	}
	return byEnding[ending]
}

// isGraphDef reports whether the first bytes are those of a GraphDef, which
// begins with a node: a SavedModel begins with its version number or a meta
// graph.
func isGraphDef(head []byte) bool { return len(head) > 0 && head[0] == 1<<3|2 }

// maxLooked bounds how many files of a folder are examined.
const maxLooked = 100

// adviceForFile describes a file.
func adviceForFile(path string) string {
	if kind := fileKind(path); kind != "" {
		return ": it is " + kind
	}
	return ""
}

// adviceForFolder describes a folder without a saved_model.pb.
func adviceForFolder(dir string) string {
	for _, other := range []struct{ file, advice string }{
		{"saved_model.pbtxt", "; it has saved_model.pbtxt, the text form: load and save it in Python"},
		{"saved_model.cpb", "; it has saved_model.cpb, the chunked form: save it without image_format splitting"},
	} {
		if _, err := os.Stat(filepath.Join(dir, other.file)); err == nil {
			return other.advice
		}
	}
	if deeper, _ := filepath.Glob(filepath.Join(dir, "*", modelFile)); len(deeper) > 0 {
		return "; there is a SavedModel in " + filepath.Dir(deeper[0])
	}
	f, err := os.Open(dir)
	if err != nil {
		return ""
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxLooked) // if listing fails, there is no advice
	slices.Sort(names)
	for _, name := range names {
		if kind := fileKind(filepath.Join(dir, name)); kind != "" {
			return "; it has " + name + ", which is " + kind
		}
	}
	if slices.Contains(names, "config.json") {
		return "; it looks like Keras's own folder format: " + exportInKeras
	}
	return ""
}

// Package savedmodeltest provides tests with SavedModels written by Keras and
// Python's TensorFlow, and with that Python.
package savedmodeltest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tkit/internal/needs"
)

// sizes makes the bases with most weights after the flattened feature map
// small, without changing their topology.
var sizes = map[string][]string{
	"vgg16": {"--size", "64", "--classes", "100"},
	"vgg19": {"--size", "64", "--classes", "100"},
}

// Keras returns the folder of a SavedModel of a Keras architecture by its name
// in scripts/export_keras ("resnet50", "inception_v3", "vgg16", "mobilenet_v2",
// ...), with random weights and batch-norm statistics. Flags are passed to the
// script. The folder also has two example inputs with Keras's outputs: see
// [Example]. It is made once, shared by all tests of the machine, and must not
// be written to.
func Keras(t testing.TB, name string, flags ...string) string {
	t.Helper()
	root := needs.Root(t)
	script := filepath.Join(root, "scripts", "export_keras")
	args := slices.Concat([]string{name, "--randomise-statistics", "--seed", "1", "--example", "2"}, sizes[name], flags)
	return Cached(t, "keras-"+name, script, args...)
}

// Cached runs a Python script that writes the folder named by its --output
// flag, unless the same script has run with the same arguments and environment
// before, and returns the folder. Tests of several processes may call it at
// once.
func Cached(t testing.TB, name, script string, args ...string) string {
	t.Helper()
	needs.Python(t)
	root := needs.Root(t)
	h := sha256.New()
	for _, file := range []string{script, filepath.Join(root, "scripts", "python-requirements.txt")} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	fmt.Fprintf(h, "%q", args)
	models := filepath.Join(root, ".deps", "models")
	dir := filepath.Join(models, name+"-"+hex.EncodeToString(h.Sum(nil))[:16])
	if err := os.MkdirAll(models, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", lock.Name(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	work, err := os.MkdirTemp(models, ".making-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, "made")
	RunPython(t, script, append(slices.Clone(args), "--output", made)...)
	if err := os.Rename(made, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// RunPython runs a script with the project's Python and returns its standard
// output. A script that fails fails the test with its output.
func RunPython(t testing.TB, script string, args ...string) string {
	t.Helper()
	return RunPythonOn(t, "", script, args...)
}

// RunPythonOn runs a script as [RunPython] does, with text for its standard
// input.
func RunPythonOn(t testing.TB, input, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), needs.Python(t), append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "KERAS_BACKEND=tensorflow", "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=-1")
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(script), strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// Bases returns the folder of the small bases that bases.py writes, of the kinds
// that users have. Most have images with the outputs of Python's TensorFlow: see
// [Example]. The folder is shared like those of [Keras].
func Bases(t testing.TB) string {
	t.Helper()
	return Cached(t, "bases", filepath.Join(needs.Root(t), "internal", "savedmodel", "savedmodeltest", "bases.py"))
}

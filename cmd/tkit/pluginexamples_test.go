package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tkit/plugins/python"
	"tkit/plugins/python/pythontest"
	"tkit/registry"
)

// TestExamplePlugins trains with the example plugins on what they are for, and
// classifies.
func TestExamplePlugins(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for plugin, kind := range map[string]string{"dicom-window": "exposure", "saliency-crop": "clutter", "page-rectify": "photos"} {
		t.Run(plugin, func(t *testing.T) {
			dir := t.TempDir()
			home, data, source := filepath.Join(dir, "home"), filepath.Join(dir, "data"), filepath.Join(root, "plugins", "examples", plugin)
			golang := func(args ...string) {
				cmd := exec.CommandContext(t.Context(), "go", args...)
				cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go %v: %v\n%s", args, err, out)
				}
			}
			golang("run", "./scripts/scans", kind, data)
			if python.IsProject(source) {
				mustRun(t, home, "plugins", "install", "--python", pythontest.Interpreter(), "--wheels", pythontest.Wheels(), source)
			} else {
				executable := filepath.Join(dir, plugin)
				golang("build", "-o", executable, "./plugins/examples/"+plugin)
				mustRun(t, home, "plugins", "install", executable)
			}
			mustRun(t, home, "train", "--architecture", "lenet5", "--data", data, "--name", kind, "--promote", "--per-class", "40", "--seed", "1",
				"--epochs", "30", "--batch-size", "20", "--learning-rate", "0.02",
				"--preprocessing", filepath.Join(source, "pipeline.yaml"))
			var v registry.Version
			if err := json.Unmarshal([]byte(mustRun(t, home, "registry", "show", "--json", kind)), &v); err != nil {
				t.Fatal(err)
			}
			// Guessing is right in a tenth, and so is the same without the plugin.
			if m := v.Manifest.Metrics; m == nil || m.Accuracy.Low < 0.7 {
				t.Errorf("metrics %+v", m)
			}
			images, err := filepath.Glob(filepath.Join(data, "7", "*.png"))
			if err != nil || len(images) == 0 {
				t.Fatal(images, err)
			}
			mustRun(t, home, "predict", "--model", kind, images[0])
		})
	}
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/needs"
	"tkit/plugins/python"
	"tkit/plugins/python/pythontest"
	"tkit/registry"
)

// TestExamplePlugins trains with each example plugin on suitable images, and
// classifies with `tkit predict` and with a server.
func TestExamplePlugins(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
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
			golang("run", "-trimpath", "./scripts/scans", kind, data)
			if python.IsProject(source) {
				mustRun(t, home, "plugins", "install", "--python", needs.Python(t), "--wheels", pythontest.Wheels(t), source)
			} else {
				executable := filepath.Join(dir, plugin)
				golang("build", "-trimpath", "-o", executable, "./plugins/examples/"+plugin)
				mustRun(t, home, "plugins", "install", executable)
			}
			mustRun(t, home, "train", "--architecture", "lenet5", "--data", data, "--name", kind, "--promote", "--per-class", "40", "--seed", "1",
				"--epochs", "30", "--batch-size", "20", "--learning-rate", "0.02",
				"--preprocessing", filepath.Join(source, "pipeline.yaml"))
			var v registry.Version
			if err := json.Unmarshal([]byte(mustRun(t, home, "registry", "show", "--json", kind)), &v); err != nil {
				t.Fatal(err)
			}
			// Guessing is right for a tenth of the images, and so is a model without the
			// plugin.
			if m := v.Manifest.Metrics; m == nil || m.Accuracy.Low < 0.7 {
				t.Errorf("metrics %+v", m)
			}
			images, err := filepath.Glob(filepath.Join(data, "7", "*.png"))
			if err != nil || len(images) == 0 {
				t.Fatal(images, err)
			}
			predicted := mustRun(t, home, "predict", "--model", kind, "--top", "1", "--json", images[0])
			if likeliest := served(t, home, kind, images[0]); !strings.Contains(predicted, `"`+likeliest+`"`) {
				t.Errorf("the server says %q, and predict %s", likeliest, predicted)
			}
		})
	}
}

// startServer runs `tkit serve` until the test ends, and returns its URL when its
// models answer.
func startServer(t *testing.T, home string) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said, out := io.Pipe()
	a := app()
	a.Writer, a.ErrWriter = out, t.Output()
	ended := make(chan error, 1)
	go func() {
		ended <- a.RunContext(ctx, []string{"tkit", "--home", home, "serve", "--http", "127.0.0.1:0", "--grpc", "", "--drain", "0s"})
		out.Close()
	}()
	t.Cleanup(func() {
		cancel()
		go io.Copy(io.Discard, said)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(said)
	for ready := false; !ready && lines.Scan(); { // its models are listed when they answer
		if where, is := strings.CutPrefix(lines.Text(), "HTTP "); is {
			url = strings.TrimSpace(where)
		}
		ready = strings.HasPrefix(lines.Text(), "MODEL ")
	}
	return url
}

// served classifies an image with a server.
func served(t *testing.T, home, model, path string) (likeliest string) {
	t.Helper()
	url := startServer(t, home)
	image, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	answer, err := http.Post(url+"/v1/models/"+model+":classify-image", "image/png", image)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var told struct {
		Predictions []struct{ Labels []struct{ Label string } }
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil || len(told.Predictions) != 1 || len(told.Predictions[0].Labels) == 0 {
		t.Fatalf("%s: %+v, %v", answer.Status, told, err)
	}
	return told.Predictions[0].Labels[0].Label
}

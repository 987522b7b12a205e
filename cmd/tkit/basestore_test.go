package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/registry"
)

// weights unpacks the weights of EfficientNet-Lite0 for seven classes.
func weights(t *testing.T) string {
	t.Helper()
	packed, err := os.Open("../../train/base/testdata/efficientnet-lite0.safetensors.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lite0.safetensors")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBases imports weights under a name, trains on them by that name and by their
// digest, and removes them.
func TestBases(t *testing.T) {
	t.Parallel()
	home, data, file := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "digits"), weights(t)
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	thin(t, data, 15)
	labels := filepath.Join(t.TempDir(), "labels.txt")
	if err := os.WriteFile(labels, []byte("a\nb\nc\nd\ne\nf\ng\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"(--architecture)", []string{"lite0", file}},
		{"(--scheme)", []string{"--architecture", "efficientnet-lite0", "lite0", file}},
		{"--weights", []string{"--weights", "good", "lite0", file}},
		{"--labels", []string{"--architecture", "efficientnet-lite0", "--scheme", "timm-tf", "--labels", data + "/0", "lite0", file}},
		{"posix.system", []string{"--architecture", "efficientnet-lite0", "lite0", "../../internal/weightfile/testdata/evil.pth"}},
	} {
		_, _, err := tkit(t, home, append([]string{"base", "import"}, c.args...)...)
		if err == nil || !strings.Contains(withHints(err).Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.args, err, c.says)
		}
	}
	said := mustRun(t, home, "base", "import", "--architecture", "efficientnet-lite0", "--scheme", "timm-tf",
		"--labels", labels, "--licence", "Apache-2.0", "--source", "testdata", "--weights", "random", "lite0", file)
	if !strings.Contains(said, "imported lite0 (sha256:") {
		t.Errorf("import says %q", said)
	}
	var m registry.BaseManifest
	if err := json.Unmarshal([]byte(mustRun(t, home, "base", "show", "--json", "lite0")), &m); err != nil {
		t.Fatal(err)
	}
	if m.Licence != "Apache-2.0" || m.Source != "testdata" || len(m.Labels) != 7 || m.Scheme != "timm-tf" || !m.Random {
		t.Errorf("it is %+v", m)
	}
	for want, args := range map[string][]string{
		"Apache-2.0":                  {"base", "list"},
		"the weights of the base are": {"base", "show", "lite0"},
		"7 outputs for an image":      {"base", "check", string(m.Network.Digest)},
		`"digest"`:                    {"base", "check", "--json", "lite0"},
	} {
		if out := mustRun(t, home, args...); !strings.Contains(out, want) {
			t.Errorf("%v says %q, want %q", args, out, want)
		}
	}
	train := []string{"train", "--data", data, "--name", "digits", "--cut", "pool", "--per-class", "5", "--look-alikes", "ignore", "--base"}
	for _, base := range []string{"lite0", string(m.Network.Digest)} {
		if out := mustRun(t, home, append(train, base)...); !strings.Contains(out, "the weights of the base are random") {
			t.Errorf("training on random weights says %q", out)
		}
	}
	if out := mustRun(t, home, "registry", "show", "digits@2"); !strings.Contains(out, "lite0  "+string(m.Network.Digest)) || !strings.Contains(out, "warning") {
		t.Errorf("the version is %q", out)
	}
	mustRun(t, home, "base", "remove", "lite0")
	if out := mustRun(t, home, "registry", "gc"); !strings.Contains(out, string(m.Network.Digest)) {
		t.Errorf("gc says %q", out)
	}
	if _, _, err := tkit(t, home, append(train, "lite0")...); err == nil || !strings.Contains(err.Error(), "no stored base") {
		t.Errorf("training on a removed base: %v", err)
	}
	mustRun(t, home, "registry", "verify")
}

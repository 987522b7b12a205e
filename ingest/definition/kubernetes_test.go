package definition

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"gopkg.in/yaml.v3"
)

// The pipeline in the manifests for Kubernetes has no mistakes, and any number of pods
// can run it.
func TestKubernetes(t *testing.T) {
	t.Setenv("KAFKA_PASSWORD", "secret")
	t.Setenv("SERVER_TOKEN", "secret")
	manifests, err := os.ReadFile("../../deploy/kubernetes/pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for d := yaml.NewDecoder(bytes.NewReader(manifests)); ; {
		var one struct{ Data map[string]string }
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		text, is := one.Data["pipeline.yaml"]
		if !is {
			continue
		}
		found++
		findings, err := Check([]byte(text))
		if err != nil || len(findings) > 0 {
			t.Errorf("the pipeline: %v, %v", findings, err)
		}
		if d, err := parse([]byte(text), ""); err != nil || !d.Shared {
			t.Errorf("the pipeline cannot be shared: %v", err)
		}
	}
	if found != 1 {
		t.Errorf("%d pipelines, want 1", found)
	}
}

package definition

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"
)

// The pipeline in the manifests for Kubernetes has no mistakes, and any number of pods
// can run it.
func TestKubernetes(t *testing.T) {
	t.Setenv("KAFKA_PASSWORD", "secret")
	t.Setenv("SERVER_TOKEN", "secret")
	found := 0
	for _, one := range documents(t, "pipeline.yaml") {
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

// The ScaledObject of KEDA watches the consumer group and the topic of that pipeline.
func TestKEDA(t *testing.T) {
	var pipeline struct {
		Input struct {
			Kafka struct {
				Brokers, Topics []string
				Group           string
			} `yaml:"tkit_kafka"`
		}
	}
	var scaled struct {
		Spec struct {
			Triggers []struct {
				Type     string
				Metadata map[string]string
			}
		}
	}
	for _, one := range documents(t, "pipeline.yaml") {
		if text, is := one.Data["pipeline.yaml"]; is {
			if err := yaml.Unmarshal([]byte(text), &pipeline); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, one := range documents(t, "keda.yaml") {
		if one.Kind == "ScaledObject" {
			if err := one.all.Decode(&scaled); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(scaled.Spec.Triggers) != 1 {
		t.Fatalf("%+v", scaled)
	}
	k, m := pipeline.Input.Kafka, scaled.Spec.Triggers[0].Metadata
	if scaled.Spec.Triggers[0].Type != "kafka" || k.Group == "" || m["consumerGroup"] != k.Group ||
		!slices.Equal([]string{m["topic"]}, k.Topics) || !slices.Equal([]string{m["bootstrapServers"]}, k.Brokers) {
		t.Errorf("the pipeline reads %+v, KEDA watches %v", k, m)
	}
}

// A manifest is one object for Kubernetes.
type manifest struct {
	Kind string
	Data map[string]string
	all  yaml.Node
}

// documents reads a file of deploy/kubernetes.
func documents(t *testing.T, file string) (all []manifest) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/kubernetes/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one manifest
		err := d.Decode(&one.all)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err == nil {
			err = one.all.Decode(&one)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

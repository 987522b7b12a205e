package architectures_test

import (
	"encoding/json"
	"testing"

	"tkit/architectures"
)

// The requested number of classes replaces the paper's, in JSON too.
func TestSummary(t *testing.T) {
	a, err := architectures.Lookup("lenet5")
	if err != nil {
		t.Fatal(err)
	}
	paper, err := a.Summary(0)
	if err != nil {
		t.Fatal(err)
	}
	five, err := a.Summary(5)
	if err != nil {
		t.Fatal(err)
	}
	if paper.Classes != a.Classes || five.Trainable >= paper.Trainable || len(five.Endpoints) == 0 {
		t.Errorf("for %d classes %d weights, for %d classes %d", paper.Classes, paper.Trainable, five.Classes, five.Trainable)
	}
	text, err := json.Marshal(five)
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Classes int }
	if err := json.Unmarshal(text, &read); err != nil || read.Classes != 5 {
		t.Errorf("JSON has %d classes, %v", read.Classes, err)
	}
}

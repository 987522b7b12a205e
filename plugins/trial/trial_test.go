package trial_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tkit/plugins/preprocesstest"
	"tkit/plugins/trial"
)

func TestParseSides(t *testing.T) {
	for text, want := range map[string][3]int{"": {}, "224x112x3": {224, 112, 3}, "0x0x1": {0, 0, 1}} {
		if got, err := trial.ParseSides(text); err != nil || got != want {
			t.Errorf("ParseSides(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"224", "224x224", "224x224x3x1", "-1x2x3", "axbxc"} {
		if got, err := trial.ParseSides(text); err == nil {
			t.Errorf("ParseSides(%q) = %v", text, got)
		}
	}
}

func TestParseConfig(t *testing.T) {
	if c, err := trial.ParseConfig(""); c != nil || err != nil {
		t.Errorf("no configuration is %s, %v", c, err)
	}
	if c, err := trial.ParseConfig(`{"by": 40}`); string(c) != `{"by": 40}` || err != nil {
		t.Errorf("an object is %s, %v", c, err)
	}
	for _, text := range []string{"by: 40", "[40]", "40", "{"} {
		if c, err := trial.ParseConfig(text); err == nil {
			t.Errorf("ParseConfig(%s) = %s", text, c)
		}
	}
}

func TestReadSamples(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.dcm")
	if err := os.WriteFile(path, []byte("scan"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := trial.ReadSamples(t.Context(), []string{path, path}); err != nil || len(got) != 2 || string(got[1]) != "scan" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := trial.ReadSamples(t.Context(), []string{path, path + "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a sample that is missing: %v", err)
	}
}

func TestFailed(t *testing.T) {
	r := trial.Report{Checks: []preprocesstest.Result{{}, {Err: errors.New("broken")}, {Skipped: "no"}}}
	if r.Failed() != 1 {
		t.Errorf("%d checks failed, want 1", r.Failed())
	}
}

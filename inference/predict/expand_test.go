package predict_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/inference/predict"
)

func TestExpand(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"in/b.png", "in/a.png", "in/deep/c.txt", "in/.DS_Store", "in/__MACOSX/a.png", "one.png", "void/.hidden", "dash/-"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("in", "link"); err != nil {
		t.Fatal(err)
	}
	if got, err := predict.Expand(t.Context(), []string{"link"}); err != nil || len(got) != 3 || got[0] != "link/a.png" {
		t.Errorf("a link to a folder: %q, %v", got, err)
	}
	got, err := predict.Expand(t.Context(), []string{"one.png", "-", "in", "absent.png"})
	if want := []string{"one.png", "-", "in/a.png", "in/b.png", "in/deep/c.txt", "absent.png"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := predict.Expand(t.Context(), []string{"void"}); err == nil {
		t.Error("a folder without files is accepted")
	}
	t.Chdir("dash") // whose only file is not standard input
	if got, err := predict.Expand(t.Context(), []string{"-", "."}); err != nil || !slices.Equal(got, []string{"-", "./-"}) {
		t.Errorf("a file called -: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := predict.Expand(ctx, []string{"."}); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt: %v", err)
	}
	if _, err := predict.Expand(t.Context(), []string{"-", "-"}); err == nil {
		t.Error("standard input is accepted twice")
	}
}

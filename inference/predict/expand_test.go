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
	for _, link := range []string{"in/deep/up", "in/link"} { // to folders, which may form circles
		if err := os.Symlink("..", link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.png", "in/file"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ paths, want, skipped []string }{
		{[]string{"link"}, []string{"link/a.png", "link/b.png", "link/deep/c.txt", "link/file"}, []string{"link/deep/up", "link/link"}},
		{[]string{"one.png", "-", "in/deep", "absent.png"}, []string{"one.png", "-", "in/deep/c.txt", "absent.png"}, []string{"in/deep/up"}},
		{[]string{"void", "one.png"}, []string{"void: the folder has no files", "one.png"}, nil},
	} {
		got, skipped, err := predict.Expand(t.Context(), c.paths)
		if err != nil || !slices.Equal(texts(got), c.want) || !slices.Equal(skipped, c.skipped) {
			t.Errorf("%q: %q, skipped %q, %v; want %q", c.paths, texts(got), skipped, err, c.want)
		}
	}
	t.Chdir("dash") // whose only file is not standard input
	if got, _, err := predict.Expand(t.Context(), []string{"-", "."}); err != nil || !slices.Equal(texts(got), []string{"-", "./-"}) {
		t.Errorf("a file called -: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := predict.Expand(ctx, []string{"."}); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt: %v", err)
	}
	if _, _, err := predict.Expand(t.Context(), []string{"-", "-"}); err == nil {
		t.Error("standard input is accepted twice")
	}
}

// texts returns the paths of files, with their errors.
func texts(files []predict.File) (all []string) {
	for _, f := range files {
		text := f.Path
		if f.Err != nil {
			text += ": " + f.Err.Error()
		}
		all = append(all, text)
	}
	return all
}

package inference_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tkit/inference"
)

// extend makes files or appends to them, below a folder.
func extend(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("more "); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func folderSource(dir string) *inference.FolderSource {
	return &inference.FolderSource{Dir: dir, Model: "m", Every: time.Second, Log: slog.New(slog.DiscardHandler)}
}

// wanted returns the versions that a source wants now.
func wanted(t *testing.T, s *inference.FolderSource) []int {
	t.Helper()
	all, err := s.Aspirations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return nil
	}
	if all[0].Model != "m" {
		t.Errorf("the model is %q", all[0].Model)
	}
	return all[0].Versions
}

// A version is served once it is complete and unchanged between two checks.
func TestFolderSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := folderSource(dir)
		if err := s.Check(); err == nil {
			t.Error("an empty folder is served")
		}
		extend(t, dir, "2/saved_model.pb", "10/saved_model.pb", "10/variables/variables.index", "new/saved_model.pb", "0/saved_model.pb")
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		steps := []struct {
			change func()
			want   int
		}{
			{func() {}, 10},
			{func() { extend(t, dir, "11/variables/variables.index") }, 10},
			{func() { extend(t, dir, "11/variables/variables.index") }, 10},
			{func() { extend(t, dir, "11/saved_model.pb") }, 10},
			{func() { extend(t, dir, "11/variables/variables.index") }, 10}, // still being copied
			{func() {}, 11},
			{func() { extend(t, dir, "11/saved_model.pb") }, 11}, // a served version is not checked again
			{func() { os.RemoveAll(filepath.Join(dir, "11")) }, 10},
			{func() { os.RemoveAll(filepath.Join(dir, "10")) }, 2},
			{func() { extend(t, dir, "0012/saved_model.pb") }, 2},
			{func() {}, 12},
		}
		for i, step := range steps {
			time.Sleep(s.Every)
			step.change()
			for range 2 { // a second check at once finds no more than the first
				wanted(t, s)
			}
			if got := wanted(t, s); !slices.Equal(got, []int{step.want}) {
				t.Errorf("step %d: %v, want %d", i, got, step.want)
			}
		}
		parts, err := s.Parts(t.Context(), "m", 12)
		if err != nil || parts.SavedModel != filepath.Join(dir, "0012") {
			t.Errorf("%+v, %v", parts, err)
		}
		if _, err := s.Parts(t.Context(), "m", 11); err == nil {
			t.Error("a version that is gone has parts")
		}
		for _, name := range []string{"2", "0012"} {
			os.RemoveAll(filepath.Join(dir, name))
		}
		if got := wanted(t, s); got != nil {
			t.Errorf("%v of an empty folder", got)
		}
		os.RemoveAll(dir)
		if _, err := s.Aspirations(t.Context()); err == nil {
			t.Error("a folder that is gone has no error: what is loaded would be unloaded")
		}
	})
}

// A folder that is itself a SavedModel is version 1.
func TestFolderSourceOfOneModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		extend(t, dir, "saved_model.pb", "7/saved_model.pb")
		s := folderSource(dir)
		if got := wanted(t, s); !slices.Equal(got, []int{1}) {
			t.Errorf("%v", got)
		}
		if parts, err := s.Parts(t.Context(), "m", 1); err != nil || parts.SavedModel != dir {
			t.Errorf("%+v, %v", parts, err)
		}
	})
}

// The source reports changes, and ends with its context.
func TestFolderSourceChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		extend(t, dir, "1/saved_model.pb")
		s := folderSource(dir)
		ctx, cancel := context.WithCancel(t.Context())
		changes := s.Changes(ctx)
		<-changes // 1 is complete
		extend(t, dir, "2/saved_model.pb")
		<-changes
		if got := wanted(t, s); !slices.Equal(got, []int{2}) {
			t.Errorf("%v", got)
		}
		os.RemoveAll(filepath.Join(dir, "2"))
		<-changes
		cancel()
		synctest.Wait()
		if _, err := folderSource(dir).Aspirations(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestModelName(t *testing.T) {
	t.Chdir(t.TempDir())
	for dir, want := range map[string]string{"models/flowers": "flowers", "models/flowers/": "flowers", "/": ""} {
		if got, err := inference.ModelName(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}

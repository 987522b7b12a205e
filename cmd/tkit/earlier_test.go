package main

import (
	"archive/tar"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHomeOfAnEarlierVersion opens homes that earlier versions of tkit wrote. Their
// content is listed and verified, their policy is in force, their models give the
// same answers, and their caches are used. testdata/home/make makes such a home.
func TestHomeOfAnEarlierVersion(t *testing.T) {
	kept, err := filepath.Glob(filepath.Join("testdata", "home", "*.tar.gz"))
	if err != nil || len(kept) == 0 {
		t.Fatal(kept, err)
	}
	for _, archive := range kept {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, archive, dir)
			t.Chdir(dir)
			join(t, "home", "team")
			e := earlier{"home"}
			e.isDescribed(t)
			e.isInForce(t)
			e.isVerified(t)
			e.answers(t)
			e.keepsBottlenecks(t)
			e.isPromotable(t)
			e.isRemovable(t)
		})
	}
}

// An earlier home is at path; the folder said has the output of its tkit.
type earlier struct{ path string }

func (e earlier) isDescribed(t *testing.T) {
	for file, command := range map[string][]string{
		"models.json":    {"registry", "list", "--json"},
		"version-1.json": {"registry", "show", "--json", "digits@1"},
		"version-2.json": {"registry", "show", "--json", "digits@2"},
		"history.json":   {"registry", "history", "--json", "digits"},
		"acl.json":       {"datasets", "acl", "--json", "scans"},
	} {
		now := mustRun(t, e.path, command...)
		if at := differs(values(t, string(read(t, filepath.Join("said", file)))), values(t, now)); at != "" {
			t.Errorf("tkit %s: %s is not as in %s; it says\n%s", strings.Join(command, " "), at, file, now)
		}
	}
}

// isInForce checks the policy and the tokens. The token may have expired since then.
func (e earlier) isInForce(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(e.path, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tokens int
	if err := db.QueryRow("SELECT count(*) FROM access_tokens WHERE principal = 'service:triage'").Scan(&tokens); err != nil || tokens != 1 {
		t.Errorf("%d tokens, %v", tokens, err)
	}
	join(t, e.path, "others")
	_, _, err = tkit(t, e.path, "predict", "--model", "digits", filepath.Join("scans", "0", firstIn(t, filepath.Join("scans", "0"))))
	if err == nil || !strings.Contains(err.Error(), "use") {
		t.Errorf("somebody without a right predicts: %v", err)
	}
	join(t, e.path, "team")
}

func (e earlier) isVerified(t *testing.T) {
	if out := mustRun(t, e.path, "registry", "verify"); !strings.Contains(out, "everything is unchanged since its registration") {
		t.Errorf("registry verify: %s", out)
	}
	if out := mustRun(t, e.path, "datasets", "audit", "verify"); !strings.Contains(out, "nothing was changed") {
		t.Errorf("audit verify: %s", out)
	}
}

func (e earlier) answers(t *testing.T) {
	images, err := filepath.Glob(filepath.Join("scans", "*", "*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	for file, model := range map[string]string{"answers-1.jsonl": "digits@1", "answers-2.jsonl": "digits@2"} {
		now := mustRun(t, e.path, append([]string{"predict", "--json", "--model", model}, images...)...)
		if at := differs(values(t, string(read(t, filepath.Join("said", file)))), values(t, now)); at != "" {
			t.Errorf("%s answers differently: %s; now\n%s", model, at, now)
		}
	}
}

// keepsBottlenecks trains on a copy of the images with the same base: a run writes
// only bottlenecks that are not cached.
func (e earlier) keepsBottlenecks(t *testing.T) {
	before := segments(t, e.path)
	if len(before) == 0 {
		t.Fatal("the home has no bottlenecks")
	}
	mustRun(t, e.path, "train", "--base", "base", "--preprocessing", "pipeline.yaml", "--data", "./scans", "--name", "digits",
		"--cut", "conv2:flatten", "--seed", "1", "--description", "the third")
	if after := segments(t, e.path); !maps.Equal(after, before) {
		t.Errorf("bottlenecks were computed again: %v, before %v", after, before)
	}
	show := mustRun(t, e.path, "registry", "show", "--json", "digits@3")
	if earlier := string(read(t, filepath.Join("said", "version-1.json"))); trunk(t, show) != trunk(t, earlier) {
		t.Errorf("the same base and cut have another trunk: %s", trunk(t, show))
	}
}

func (e earlier) isPromotable(t *testing.T) {
	mustRun(t, e.path, "registry", "promote", "--reason", "the first again", "digits@1")
	mustRun(t, e.path, "registry", "rollback", "digits")
	var now struct{ Manifest struct{ Version int } }
	show := mustRun(t, e.path, "registry", "show", "--json", "digits@production")
	if err := json.Unmarshal([]byte(show), &now); err != nil || now.Manifest.Version != 2 {
		t.Errorf("after a promotion and its rollback version %d is in production, %v", now.Manifest.Version, err)
	}
}

// isRemovable deletes a version, and keeps the dataset that the others are restricted by.
func (e earlier) isRemovable(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, e.path, "datasets", "acl", "scans", "owner", "user:"+me.Username) // who owns the home may
	mustRun(t, e.path, "registry", "remove-alias", "digits@champion")
	mustRun(t, e.path, "registry", "remove", "--reason", "no longer needed", "digits@1")
	mustRun(t, e.path, "registry", "gc")
	e.isVerified(t)
	if _, _, err := tkit(t, e.path, "registry", "show", "digits@1"); err == nil || !strings.Contains(err.Error(), "no longer needed") {
		t.Errorf("the deleted version: %v", err)
	}
	if _, _, err := tkit(t, e.path, "datasets", "remove", "scans"); err == nil || !strings.Contains(err.Error(), "digits@2") {
		t.Errorf("removed a dataset in use: %v", err)
	}
}

func trunk(t *testing.T, version string) string {
	t.Helper()
	var v struct {
		Manifest struct{ Trunk struct{ Digest string } }
	}
	if err := json.Unmarshal([]byte(version), &v); err != nil || v.Manifest.Trunk.Digest == "" {
		t.Fatal(version, err)
	}
	return v.Manifest.Trunk.Digest
}

// segments returns the sizes of the files of bottlenecks.
func segments(t *testing.T, home string) map[string]int64 {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(home, "restricted", "*", "bottlenecks", "*", "*.segment"))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, file := range found {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		sizes[file] = info.Size()
	}
	return sizes
}

// join makes the account that runs the test a member of a group.
func join(t *testing.T, home, group string) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	text := "groups: {" + group + ": ['user:" + me.Username + "']}\n"
	if err := os.WriteFile(filepath.Join(home, "access", "groups.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unpack unpacks an archive with the permissions that its files had.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o700)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		}
		if err := errors.Join(err, os.Chmod(path, h.FileInfo().Mode().Perm())); err != nil {
			t.Fatal(err)
		}
	}
}

// values reads the JSON values of a text.
func values(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, v)
	}
}

// differs returns where an earlier output differs from the present one, or "".
// Members may have been added, and numbers may differ by rounding.
func differs(then, now any) string {
	switch then := then.(type) {
	case []any:
		now, is := now.([]any)
		if !is || len(now) != len(then) {
			return "a list"
		}
		for i := range then {
			if at := differs(then[i], now[i]); at != "" {
				return at
			}
		}
	case map[string]any:
		now, is := now.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(then)) {
			if at := differs(then[key], now[key]); !is || at != "" {
				return key + ": " + at
			}
		}
	case float64:
		if now, is := now.(float64); !is || math.Abs(now-then) > 1e-3 {
			return "a number"
		}
	default:
		if now != then {
			return "a value"
		}
	}
	return ""
}

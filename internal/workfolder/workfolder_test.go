package workfolder_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"tkit/internal/workfolder"
)

// The test binary is also the run that is killed.
func TestMain(m *testing.M) {
	if parent := os.Getenv("WORKFOLDER_TEST"); parent != "" {
		f, err := workfolder.New(parent, ".run-")
		if err == nil {
			err = os.WriteFile(filepath.Join(f.Path, "file"), make([]byte, 1000), 0o400)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(f.Path)
		select {}
	}
	os.Exit(m.Run())
}

func there(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestKilledRun(t *testing.T) {
	parent := t.TempDir()
	run := exec.Command(os.Args[0])
	run.Env = append(os.Environ(), "WORKFOLDER_TEST="+parent)
	run.Stderr = os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	others := string(line)
	mine, err := workfolder.New(parent, ".run-")
	if err != nil {
		t.Fatal(err)
	}
	if left, err := workfolder.Tidy(parent, ".run-", false); err != nil || left.Folders != 0 || !there(t, others) || !there(t, mine.Path) {
		t.Errorf("removed folders of live runs: %+v, %v", left, err)
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.Wait()
	if left, err := workfolder.Tidy(parent, ".run-", true); err != nil || left != (workfolder.Left{Folders: 1, Bytes: 1000}) || !there(t, others) {
		t.Errorf("would tidy %+v, %v", left, err)
	}
	if left, err := workfolder.Tidy(parent, ".other-", false); err != nil || left.Folders != 0 || !there(t, others) {
		t.Errorf("tidied another prefix: %+v, %v", left, err)
	}
	next, err := workfolder.New(parent, ".run-")
	if err != nil || there(t, others) || !there(t, mine.Path) {
		t.Errorf("the next run: %v; the killed one's is there: %t", err, there(t, others))
	}
	for _, f := range []*workfolder.Folder{mine, next} {
		if err := f.Close(); err != nil || there(t, f.Path) {
			t.Errorf("closed: %v", err)
		}
	}
}

// Runs begin while others tidy: none loses its folder.
func TestAtOnce(t *testing.T) {
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				f, err := workfolder.New(parent, ".run-")
				if err != nil {
					t.Error(err)
					return
				}
				if !there(t, f.Path) {
					t.Errorf("%s is gone", f.Path)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

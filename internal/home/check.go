package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// guarded is what decides in a home, or is decided by: whoever can write there
// can change the policy, the models or the record of decisions.
var guarded = []string{".", Database, Database + "-wal", Database + "-shm", identityFile,
	"blobs", "blobs/sha256", "audit", "access", "restricted", "plugins"}

// Check refuses a home that somebody else could write to: one whose folder or
// files belong to another account or may be written by a group or by everybody,
// and one below a folder in which everybody may replace it. A home that is not
// there yet is checked by what is above it.
func Check(folder string) error {
	full, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	at, err := filepath.EvalSymlinks(full)
	for errors.Is(err, fs.ErrNotExist) && full != filepath.Dir(full) {
		full = filepath.Dir(full) // what is missing is made in private
		if at, err = filepath.EvalSymlinks(full); err == nil {
			return checkAbove(at)
		}
	}
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	logs, err := fs.Glob(os.DirFS(at), "audit/*.jsonl")
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	for _, name := range append(logs, guarded...) {
		path := filepath.Join(at, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = own(path, info, 0o022)
		}
		if err != nil {
			return fmt.Errorf("home: %w", err)
		}
	}
	return checkAbove(filepath.Dir(at))
}

// checkAbove refuses a folder whose entries somebody else may replace, in itself or
// in a folder above it. In one with the sticky bit, such as /tmp, they may not.
func checkAbove(above string) error {
	for ; ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err == nil && info.Mode()&fs.ModeSticky == 0 {
			err = own(above, info, 0o002)
		}
		if err != nil {
			return fmt.Errorf("home: %w", err)
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}

// own refuses a file that others may write, by the bits of its mode or since it
// is theirs. The superuser may use the home of another account.
func own(path string, info fs.FileInfo, others fs.FileMode) error {
	if info.Mode().Perm()&others != 0 {
		who := "the group or everybody"
		if others == 0o002 {
			who = "everybody"
		}
		return fmt.Errorf("%w: %s may write to %s, and so could change who may do what: chmod go-w %[3]s", fs.ErrPermission, who, path)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	self := uint32(os.Geteuid())
	if ok && self != 0 && !slices.Contains([]uint32{0, self}, s.Uid) {
		return fmt.Errorf("%w: %s belongs to the user %d, and you are %d: use a home of your own, or run tkit as its owner", fs.ErrPermission, path, s.Uid, self)
	}
	return nil
}

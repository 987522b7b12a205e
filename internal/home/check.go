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

// guarded lists the files that control a home: anyone who can write to them can
// change the policy, the models or the audit log.
var guarded = []string{".", Database, Database + "-wal", Database + "-shm", identityFile,
	"blobs", "blobs/sha256", "audit", "access", "restricted", "plugins"}

// Check refuses a home that other users could write to: its folder or files
// belong to another account, or are writable by a group or by everybody, or a
// parent folder lets everybody replace it. If the home does not exist yet, only
// the folders above are checked.
func Check(folder string) error {
	full, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	at, err := filepath.EvalSymlinks(full)
	for errors.Is(err, fs.ErrNotExist) && full != filepath.Dir(full) {
		full = filepath.Dir(full) // missing folders are created private
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

// checkAbove refuses a folder in which, or above which, other users may replace
// entries. The sticky bit, as on /tmp, prevents that.
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

// own refuses a file that others may write to, by its mode or because they own
// it. The superuser may use another account's home.
func own(path string, info fs.FileInfo, others fs.FileMode) error {
	if info.Mode().Perm()&others != 0 {
		who := "the group or everybody"
		if others == 0o002 {
			who = "everybody"
		}
		return fmt.Errorf("%w: %s may write to %s, and so could change permissions: chmod go-w %[3]s", fs.ErrPermission, who, path)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	self := uint32(os.Geteuid())
	if ok && self != 0 && !slices.Contains([]uint32{0, self}, s.Uid) {
		return fmt.Errorf("%w: %s belongs to the user %d, and you are %d: use your own home, or run tkit as its owner", fs.ErrPermission, path, s.Uid, self)
	}
	return nil
}

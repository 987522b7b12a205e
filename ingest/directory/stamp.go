package directory

import (
	"io/fs"
	"syscall"
)

// A stamp identifies a state of a file: two states that differ in content differ in
// their stamps.
type stamp struct {
	size, modified, changed int64 // bytes, and nanoseconds since 1970
	inode                   uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := info.Sys().(*syscall.Stat_t)
	return stamp{size: info.Size(), modified: s.Mtim.Nano(), changed: s.Ctim.Nano(), inode: s.Ino}
}

// moved returns the stamp without the time of the last change of the inode, which a
// rename changes too.
func (s stamp) moved() stamp {
	s.changed = 0
	return s
}

package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// family is a process with all that it has started and that these have, as far
// as they still have their parents.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, list := range lists {
			text, _ := os.ReadFile(list) // none, if it has just ended
			for _, field := range bytes.Fields(text) {
				if child, err := strconv.Atoi(string(field)); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// taken is how many processes there are of a plugin's, with all that it has
// started, and how much memory they take, in bytes. What it shares with tkit and
// its own executable, a file in memory, are not counted; other files in memory
// are, as nothing else bounds them.
func (p *process) taken() (processes int, memory int64) {
	pid, err := strconv.Atoi(p.child.ID())
	if err != nil {
		return 0, 0
	}
	var exe syscall.Stat_t
	if err := syscall.Fstat(int(p.exe.file.Fd()), &exe); err != nil {
		return 0, 0
	}
	allowed := exe.Size
	if p.area != nil {
		allowed += p.area.Reserved()
	}
	members := family(pid)
	var private, mapped int64
	files := map[uint64]int64{exe.Ino: exe.Size}
	for _, member := range members {
		own, shared := resident(member)
		private, mapped = private+own, mapped+max(0, shared-allowed)
		filesInMemory(member, exe.Dev, files)
	}
	var kept int64
	for _, size := range files {
		kept += size
	}
	return len(members), private + max(mapped, kept-allowed)
}

// filesInMemory adds the files without a name that a process holds open, by
// number, with their sizes. They are all of one device.
func filesInMemory(pid int, device uint64, sizes map[uint64]int64) {
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, d := range descriptors {
		var info syscall.Stat_t
		if syscall.Stat(d, &info) == nil && info.Dev == device {
			sizes[info.Ino] = info.Blocks * 512
		}
	}
}

// resident is the memory that a process takes, in bytes: of its own, on the disk
// included, and such as others may share.
func resident(pid int) (own, shared int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		kilobytes, _, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
		n, _ := strconv.ParseInt(string(kilobytes), 10, 64)
		switch string(name) {
		case "RssAnon", "VmSwap":
			own += n << 10
		case "RssShmem":
			shared = n << 10
		}
	}
	return own, shared
}

package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// family returns a process with its descendants, as far as they still have
// their parents.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, list := range lists {
			text, _ := os.ReadFile(list) // empty if it has just ended
			for _, field := range bytes.Fields(text) {
				if child, err := strconv.Atoi(string(field)); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// taken returns the number of a plugin's processes, including descendants, and
// their memory in bytes. Memory shared with tkit and the plugin's executable, a
// file in memory, are not counted; other files in memory are, because nothing
// else bounds them.
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

// filesInMemory adds the unnamed files that a process holds open, by inode,
// with their sizes. They are all on one device.
func filesInMemory(pid int, device uint64, sizes map[uint64]int64) {
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, d := range descriptors {
		var info syscall.Stat_t
		if syscall.Stat(d, &info) == nil && info.Dev == device {
			sizes[info.Ino] = info.Blocks * 512
		}
	}
}

// resident returns a process's memory in bytes: private memory, including swap,
// and memory that may be shared.
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

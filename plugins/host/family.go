package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// resident is the memory of its own that a process takes, in bytes: what is
// shared with tkit is not counted.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			kilobytes, _, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
			n, _ := strconv.ParseInt(string(kilobytes), 10, 64)
			return n << 10
		}
	}
	return 0
}

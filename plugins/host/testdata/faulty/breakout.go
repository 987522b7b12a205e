package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// breakOut tries what a confined plugin must not be able to do, and lists what
// it could. parent is the PID of tkit's process outside.
func breakOut(parent string) (could []string) {
	try := func(what string, err error) {
		if err == nil {
			could = append(could, what)
		}
	}
	of := func(name string) string { return filepath.Join("/proc", parent, name) }
	try("write to the machine's settings", reopen("/proc/sys/kernel/printk_ratelimit_burst"))
	try("write to tkit's score", reopen(of("oom_score_adj")))
	try("write to its own score", reopen("/proc/self/oom_score_adj"))
	_, err := os.ReadFile(of("cmdline"))
	try("read tkit's arguments", err)
	_, err = os.ReadFile(of("environ"))
	try("read tkit's environment", err)
	_, err = os.ReadDir(of("fd"))
	try("list tkit's files", err)
	seen, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range seen {
		if _, err := os.ReadFile(path); err == nil && path != "/proc/"+strconv.Itoa(os.Getpid())+"/cmdline" {
			self, _ := os.Readlink("/proc/self")
			if !strings.HasPrefix(path, "/proc/"+self+"/") {
				try("see other processes", nil)
			}
		}
	}
	pid, err := strconv.Atoi(parent)
	if err != nil {
		return []string{err.Error()}
	}
	try("signal tkit", unix.Kill(pid, 0))
	try("trace tkit", unix.PtraceAttach(pid))
	try("mount", unix.Mount("none", os.Getenv("HOME"), "tmpfs", 0, ""))
	try("set the name of the machine", unix.Sethostname([]byte("evil")))
	try("enter namespaces", unix.Unshare(unix.CLONE_NEWUSER))
	return append(could, askTheKernel()...)
}

// askTheKernel tries system calls that plugins do not need.
func askTheKernel() (could []string) {
	try := func(what string, number uintptr, args ...uintptr) {
		args = append(args, 0, 0, 0, 0, 0, 0)
		_, _, errno := unix.Syscall6(number, args[0], args[1], args[2], args[3], args[4], args[5])
		if errno != unix.EPERM && errno != unix.ENOSYS && errno != unix.EACCES {
			could = append(could, what)
		}
	}
	var params [120]byte
	try("call past the filter", unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&params)))
	try("call past the filter", unix.SYS_USERFAULTFD)
	try("call past the filter", unix.SYS_BPF)
	try("enter namespaces", unix.SYS_CLONE3)
	try("enter namespaces", unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(syscall.SIGCHLD))
	try("enter namespaces", unix.SYS_SETNS)
	try("ask for the keys", unix.SYS_KEYCTL)
	try("trace tkit", unix.SYS_PROCESS_VM_READV, uintptr(os.Getpid()))
	try("watch the machine", unix.SYS_PERF_EVENT_OPEN)
	try("take memory that nobody counts", unix.SYS_SHMGET, 0, 4096, 0o1600)
	for _, kind := range []uintptr{unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC} {
		try("make an undivided socket", unix.SYS_SOCKET, unix.AF_UNIX, kind)
		var pair [2]int32
		try("make an undivided socket", unix.SYS_SOCKETPAIR, unix.AF_UNIX, kind, 0, uintptr(unsafe.Pointer(&pair)))
	}
	for _, family := range []uintptr{unix.AF_VSOCK, unix.AF_PACKET, unix.AF_ALG, unix.AF_BLUETOOTH} {
		try("make an undivided socket", unix.SYS_SOCKET, family, unix.SOCK_STREAM)
	}
	try("make an undivided socket", unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil || data[0].Effective|data[0].Permitted|data[1].Permitted != 0 {
		could = append(could, "have capabilities")
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Max != 0 {
		could = append(could, "dump core")
	}
	return could
}

// reopen opens a file for writing without writing.
func reopen(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

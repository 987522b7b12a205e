package host

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// architectures are the numbers by which filters know them; on others there is no
// filter.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Of struct seccomp_data (linux/seccomp.h), where the filter finds the number of
// the system call and the architecture that it is made by.
const (
	callNumber   = 0
	callPlatform = 4
	otherNumbers = 0x40000000 // from there on, those of a second way to call on amd64
)

// keepProcessors denies the calling thread, and what it starts, to choose other
// processors than it was given. It says whether the kernel can do that.
func keepProcessors() (bool, error) {
	platform, known := architectures[runtime.GOARCH]
	if !known {
		return false, nil
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(test uint16, value uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: value, Jt: yes, Jf: no}
	}
	answer := func(what uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
	}
	filter := []unix.SockFilter{
		load(callPlatform),
		jump(unix.BPF_JEQ, platform, 0, 3),
		load(callNumber),
		jump(unix.BPF_JGE, otherNumbers, 1, 0),
		jump(unix.BPF_JEQ, unix.SYS_SCHED_SETAFFINITY, 0, 1),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
		answer(unix.SECCOMP_RET_ALLOW),
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	runtime.KeepAlive(filter)
	if refused(err) { // by a kernel without filters, or by the container around tkit
		return false, nil
	}
	return err == nil, os.NewSyscallError("prctl", err)
}

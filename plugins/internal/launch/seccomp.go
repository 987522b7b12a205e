package launch

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// platforms maps architectures to their numbers in filters. There is no filter
// on others.
var platforms = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// denied lists the system calls that plugins do not need: those that inspect
// other processes, change namespaces and mounts, create sockets and files in
// ways that filters cannot see, allocate uncounted memory, or use parts of the
// kernel with frequent vulnerabilities.
var denied = []uint32{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT, unix.SYS_UMOUNT2,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_ACCT,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_SHMGET, unix.SYS_MSGGET, unix.SYS_MQ_OPEN, unix.SYS_MEMFD_SECRET,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_SYSLOG, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
}

// unknown lists calls answered as by a kernel without them, so that programs
// use alternatives. The arguments of clone3 are in memory, where filters cannot
// see them.
var unknown = []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// Offsets in struct seccomp_data (linux/seccomp.h): the number of the system
// call, its architecture, and the lower halves of its arguments on
// little-endian machines.
const (
	callNumber    = 0
	callPlatform  = 4
	firstArgument = 16
	nextArgument  = 24
	otherNumbers  = 0x40000000 // from there on, the x32 calls on amd64
)

const (
	anyNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	socketKind = 0xf // without SOCK_CLOEXEC and SOCK_NONBLOCK
)

// A filter is a classic BPF program: jumps go forward only, and count the
// instructions that they skip.
type filter []unix.SockFilter

func (f *filter) load(offset uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

// unless skips the next n instructions if the loaded value passes the test.
func (f *filter) unless(test uint16, value uint32, n uint8) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: value, Jt: n})
}

// when skips the next n instructions if the loaded value fails the test.
func (f *filter) when(test uint16, value uint32, n uint8) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: value, Jf: n})
}

func (f *filter) mask(bits uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: bits})
}

func (f *filter) allow() {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

func (f *filter) refuse(number uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | number})
}

// call answers a system call with an error. Its number is loaded.
func (f *filter) call(number, answer uint32) {
	f.when(unix.BPF_JEQ, number, 1)
	f.refuse(answer)
}

// rules makes the filter. bound denies selecting other processors; internet
// allows internet sockets; connects allows connect.
func rules(platform uint32, bound, internet, connects bool) filter {
	var f filter
	f.load(callPlatform)
	f.unless(unix.BPF_JEQ, platform, 1)
	f.refuse(uint32(unix.EPERM))
	f.load(callNumber)
	f.when(unix.BPF_JGE, otherNumbers, 1)
	f.refuse(uint32(unix.EPERM))
	for _, number := range denied {
		f.call(number, uint32(unix.EPERM))
	}
	for _, number := range unknown {
		f.call(number, uint32(unix.ENOSYS))
	}
	if bound {
		f.call(unix.SYS_SCHED_SETAFFINITY, uint32(unix.EPERM))
	}
	if !connects { // the only way to Unix sockets of others
		f.call(unix.SYS_CONNECT, uint32(unix.EACCES))
	}
	f.when(unix.BPF_JEQ, unix.SYS_CLONE, 4)
	f.load(firstArgument)
	f.when(unix.BPF_JSET, anyNamespace, 1)
	f.refuse(uint32(unix.EPERM))
	f.allow()
	f.sockets(internet)
	f.allow()
	return f
}

// sockets allows Unix stream sockets, which cannot send before they are
// connected, and otherwise only internet sockets if allowed.
func (f *filter) sockets(internet bool) {
	var inner filter
	inner.load(firstArgument)
	if internet {
		for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
			inner.when(unix.BPF_JEQ, family, 1)
			inner.allow()
		}
		inner.when(unix.BPF_JEQ, unix.AF_NETLINK, 4) // used by programs to list the interfaces
		inner.load(firstArgument + 2*(nextArgument-firstArgument))
		inner.when(unix.BPF_JEQ, unix.NETLINK_ROUTE, 1)
		inner.allow()
		inner.refuse(uint32(unix.EACCES))
	}
	inner.when(unix.BPF_JEQ, unix.AF_UNIX, 4)
	inner.load(nextArgument)
	inner.mask(socketKind)
	inner.when(unix.BPF_JEQ, unix.SOCK_STREAM, 1)
	inner.allow()
	inner.refuse(uint32(unix.EACCES))

	f.unless(unix.BPF_JEQ, unix.SYS_SOCKET, 1)
	f.when(unix.BPF_JEQ, unix.SYS_SOCKETPAIR, uint8(len(inner)))
	*f = append(*f, inner...)
}

// filterCalls filters the calling thread's system calls in the kernel. It
// reports whether the kernel supports that.
func filterCalls(bound, internet, connects bool) (bool, error) {
	platform, known := platforms[runtime.GOARCH]
	if !known {
		return false, nil
	}
	f := rules(platform, bound, internet, connects)
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	runtime.KeepAlive(f)
	if refused(err) { // a kernel without filters, or the container around tkit
		return false, nil
	}
	return err == nil, os.NewSyscallError("prctl", err)
}

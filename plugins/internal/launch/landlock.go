package launch

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system's files that a plugin may read: programs, libraries and their
// data, but no user data.
var system = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/sys",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl", "/etc/pki",
	"/etc/ca-certificates", "/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/os-release",
	"/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf", "/etc/mime.types", "/etc/fonts",
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
}

// The files that a plugin may read below the machine's /proc, if it has no own
// one: its own folder, which shows no other process, and information about the
// machine.
var machineProc = []string{
	"/proc/self", "/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo", "/proc/stat", "/proc/sys",
	"/proc/uptime", "/proc/version",
}

// proc returns what a plugin may read below /proc.
func proc(own bool) []string {
	if own {
		return []string{"/proc"}
	}
	return machineProc
}

// Landlock's rights on files (linux/landlock.h).
const (
	landlockRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	landlockFirst = 1<<13 - 1 // of the first version
)

// landlockVersion returns the kernel's version of Landlock, 0 if there is none.
func landlockVersion() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// The versions of Landlock that introduced its scopes. Version 6 already has
// the scope for signals, but there it also blocks signals between threads of
// one process.
const (
	landlockSockets = 6
	landlockSignals = 7
)

// landlock denies the calling thread all files except those below readable and
// writable paths, and also abstract Unix sockets and signals to processes
// outside. version is 0 if the kernel has no Landlock: then nothing is denied.
func landlock(version int, readable, writable []string) error {
	if version == 0 {
		return nil
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: landlockFirst}
	if version >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= landlockSockets {
		attr.Scoped |= unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	if version >= landlockSignals {
		attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(fd))
	rules := map[string]uint64{"/dev/null": unix.LANDLOCK_ACCESS_FS_WRITE_FILE}
	for _, path := range readable {
		rules[path] |= landlockRead
	}
	for _, path := range writable {
		rules[path] = attr.Handled_access_fs
	}
	for path, rights := range rules {
		if err := landlockRule(int(fd), path, rights&attr.Handled_access_fs); err != nil {
			return fmt.Errorf("landlock %s: %w", path, err)
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// landlockRule allows everything below path. A missing path needs no rule.
func landlockRule(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= landlockFile // the others do not apply to files
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	return os.NewSyscallError("landlock_add_rule", errnoError(errno))
}

func errnoError(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

package launch

import (
	"os"

	"golang.org/x/sys/unix"
)

// readOnly mounts every file system read-only in this process's mount
// namespace, except its own folder.
func readOnly(folder string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount(folder, folder, "", unix.MS_BIND, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	all := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &all); err != nil {
		return os.NewSyscallError("mount_setattr", err)
	}
	own := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(unix.AT_FDCWD, folder, 0, &own))
}

// ownProc mounts a read-only /proc that shows only the processes of this PID
// namespace. A container that hides parts of its own /proc forbids it.
func ownProc() error {
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return os.NewSyscallError("mount", unix.Mount("proc", "/proc", "proc", flags, ""))
}

// sharedMemory is the folder of C libraries' named semaphores, without which
// Python's multiprocessing has no pools.
const sharedMemory = "/dev/shm"

// ownSharedMemory mounts an empty folder there. It is small, because its
// content is not counted as the plugin's memory.
func ownSharedMemory() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return os.NewSyscallError("mount", unix.Mount("tmpfs", sharedMemory, "tmpfs", flags, "size=1m,nr_inodes=256,mode=0700"))
}

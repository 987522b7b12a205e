package launch

import (
	"os"

	"golang.org/x/sys/unix"
)

const capSysAdmin = unix.CAP_SYS_ADMIN

// dropPowers drops all capabilities, for this program and those it starts. It
// reports whether none is left: root regains some at each exec if it may not
// reduce the bounding set.
func dropPowers() (bool, error) {
	none := true
	for power := uintptr(0); ; power++ {
		set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, power, 0, 0, 0)
		if err != nil { // there are no more
			break
		}
		if set == 1 && unix.Prctl(unix.PR_CAPBSET_DROP, power, 0, 0, 0) != nil {
			none = false
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !refused(err) {
		return false, os.NewSyscallError("prctl", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // version 3 has two
	if err := unix.Capset(&header, &data[0]); err != nil {
		return false, os.NewSyscallError("capset", err)
	}
	return none || os.Getuid() != 0, nil
}

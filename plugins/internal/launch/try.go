package launch

import (
	"errors"
	"os"
	"runtime"
)

// Try returns the protections that a process with a specification would have
// on this machine. It confines a process, which then ends: the specification's
// program is not executed.
func Try(s Spec) (Protections, error) {
	s.Path = ""            // cannot be executed, which is the last step
	runtime.LockOSThread() // see Start
	defer runtime.UnlockOSThread()
	nowhere, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return Protections{}, err
	}
	defer nowhere.Close()
	p, err := Start(s, nowhere, nowhere, nil, true)
	if Refused(err) {
		p, err = Start(s, nowhere, nowhere, nil, false)
	}
	if err != nil {
		return Protections{}, err
	}
	protections, err := p.Finish()
	_ = p.Cmd.Wait() // it fails as intended
	var call *os.SyscallError
	if errors.As(err, &call) && call.Syscall == "exec" {
		err = nil
	}
	return protections, err
}

package launch

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// init takes over in a process that Start has started. It runs on the first
// thread of the process, which becomes the plugin.
func init() {
	if len(os.Args) == 2 && os.Args[0] == name {
		runtime.LockOSThread()
		become(os.Args[1])
		os.Exit(1)
	}
}

// become confines the process and replaces it by the plugin. It returns only on
// failure, after reporting it.
func become(descriptor string) {
	first, err := strconv.Atoi(descriptor)
	if err != nil {
		return // nobody listens
	}
	for fd := first; fd < first+3; fd++ { // orders, report and this program
		unix.CloseOnExec(fd)
	}
	answers := json.NewEncoder(os.NewFile(uintptr(first+1), "report"))
	var r report
	s, err := orders(os.NewFile(uintptr(first), "orders"))
	if err == nil {
		r.Protections, err = confine(s)
	}
	if err == nil {
		if answers.Encode(r) != nil {
			return // nobody waits for the plugin any more
		}
		err = os.NewSyscallError("exec", unix.Exec(s.Path, s.Args, s.Environment))
	}
	r.Step, r.Words = "confine", err.Error()
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		r.Step = call.Syscall
		errors.As(err, &r.Number)
	}
	answers.Encode(r) // if the report cannot be sent, the end of the process shows the failure
}

func orders(from io.ReadCloser) (s Spec, err error) {
	err = json.NewDecoder(from).Decode(&s)
	return s, errors.Join(err, from.Close())
}

// confine applies the sandbox to the calling thread, which then executes the
// plugin. The order matters: mounting needs the capabilities, and every later
// step restricts the earlier ones.
func confine(s Spec) (p Protections, err error) {
	isolated := unix.Getpid() == 1
	writable := []string{s.Folder}
	if isolated {
		p.ReadOnly = readOnly(s.Folder) == nil
		p.Processes = ownProc() == nil
		if ownSharedMemory() == nil {
			writable = append(writable, sharedMemory)
		}
	}
	if err := os.Chdir(s.Folder); err != nil { // again: it may have been mounted again
		return p, err
	}
	if err := limit(s); err != nil {
		return p, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return p, os.NewSyscallError("prctl", err)
	}
	if p.Powers, err = dropPowers(); err != nil {
		return p, err
	}
	version := landlockVersion()
	p.Files, p.Signals = version > 0, isolated || version >= landlockSignals
	if err := landlock(version, slices.Concat(s.Readable, system, proc(p.Processes)), writable); err != nil {
		return p, err
	}
	p.Calls, err = filterCalls(s.CPUs != nil, s.Network || isolated, s.Network)
	p.Network = !s.Network && (isolated || p.Calls)
	return p, err
}

// limit sets the resource limits of the process.
func limit(s Spec) error {
	if s.CPUs != nil {
		var set unix.CPUSet
		for _, cpu := range s.CPUs {
			set.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	for resource, n := range map[int]uint64{
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_NOFILE: 1024,
		unix.RLIMIT_DATA:   s.Memory,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return os.NewSyscallError("setrlimit", err)
		}
	}
	return nil
}

// refused reports whether the kernel, or the container around tkit, does not
// support or allow the request.
func refused(err error) bool {
	for _, no := range []syscall.Errno{unix.EPERM, unix.EINVAL, unix.ENOSPC, unix.EACCES, unix.ENOSYS} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// Refused reports whether a process can only be started without its own
// namespaces.
func Refused(err error) bool { return refused(err) }

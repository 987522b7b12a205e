package host

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// run confines its thread, starts the process on it and reaps the process. What
// a thread is denied is denied to what it starts; the thread ends with the
// goroutine, as it is never unlocked.
func (p *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer close(p.ended)
	p.cpus = processors.take(p.share)
	defer processors.give(p.cpus)
	if err := p.confine(); err != nil {
		started <- err
		return
	}
	if err := p.launch(); err != nil {
		started <- err
		return
	}
	err := p.limit()
	if err != nil {
		p.kill()
	}
	started <- err
	// Before the process is reaped its number names no other: now the whole
	// group can be ended.
	for {
		if err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			break
		}
	}
	p.kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endErr = p.cmd.Wait()
	p.pid = 0
}

// launch starts the process, in namespaces of its own where the kernel, or the
// container around tkit, lets users have them.
func (p *child) launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doomed {
		return context.Canceled
	}
	plain := *p.cmd
	p.cmd.SysProcAttr = p.attributes(true)
	err := p.cmd.Start()
	p.namespaces = err == nil
	if refused(err) {
		p.cmd = &plain
		p.cmd.SysProcAttr = p.attributes(false)
		err = p.cmd.Start()
	}
	if err == nil {
		p.pid = p.cmd.Process.Pid
	}
	return err
}

// attributes make the process the head of a session and group of its own, away
// from the terminal, that ends with tkit; and in namespaces of its own: then
// all that it starts ends with it, and it sees no network.
func (p *child) attributes(namespaces bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if namespaces {
		uid, gid := os.Getuid(), os.Getgid()
		a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		if !p.network {
			a.Cloneflags |= syscall.CLONE_NEWNET
		}
	}
	return a
}

func refused(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES)
}

// confine denies the calling thread, and so the process, to gain rights by
// starting programs, other people's files, and more processors than it may have.
func (p *child) confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	var err error
	if p.landlocked, err = landlock(p.cmd.Dir, p.readable); err != nil {
		return err
	}
	if p.cpus == nil {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range p.cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	p.bound, err = keepProcessors()
	return err
}

// limit bounds what the process takes.
func (p *child) limit() error {
	for resource, n := range map[int]uint64{
		unix.RLIMIT_DATA:   uint64(p.memory),
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_NOFILE: 1024,
	} {
		err := unix.Prlimit(p.pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil)
		if err != nil && err != unix.ESRCH { // it may have ended by now
			return os.NewSyscallError("prlimit", err)
		}
	}
	return nil
}

// kill ends the process and its group, or has it not start. In a namespace
// everything in it ends with the process; without one, all are ended that still
// have their parents.
func (p *child) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
	if p.pid != 0 {
		if !p.namespaces {
			for _, pid := range family(p.pid) {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		unix.Kill(-p.pid, unix.SIGKILL)
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

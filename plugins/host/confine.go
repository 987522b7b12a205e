package host

import (
	"context"
	"runtime"

	"golang.org/x/sys/unix"

	"tkit/plugins/internal/launch"
)

// Protections lists the parts of the sandbox that are active for a process on
// this machine.
type Protections = launch.Protections

// run starts the process and reaps it, on one thread throughout: the kernel
// kills the process with the thread that started it.
func (p *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	cpus := processors.take(p.share)
	defer processors.give(cpus)
	p.spec.CPUs = cpus
	launched, err := p.launch()
	if err != nil {
		p.refusal = err
		started <- err
		return
	}
	p.protections, p.refusal = launched.Finish()
	if p.refusal != nil {
		p.kill()
	}
	started <- p.refusal
	// Until the process is reaped, its PID cannot be reused: now the whole
	// group can be killed.
	for {
		if err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			break
		}
	}
	p.kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endErr = launched.Cmd.Wait()
	p.pid = 0
}

// launch starts the process, in its own namespaces if the kernel, or the
// container around tkit, allows users to create them.
func (p *child) launch() (*launch.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doomed {
		return nil, context.Canceled
	}
	p.isolated = !p.shared
	launched, err := launch.Start(p.spec, p.outEnd, p.errEnd, p.files, p.isolated)
	if p.isolated && launch.Refused(err) {
		p.isolated = false
		launched, err = launch.Start(p.spec, p.outEnd, p.errEnd, p.files, false)
	}
	if err == nil {
		p.pid = launched.Cmd.Process.Pid
		p.number = p.pid
	}
	return launched, err
}

// kill kills the process and its group, or prevents its start. In a PID
// namespace all processes in it are killed; without one, all that still have
// their parents.
func (p *child) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
	if p.pid != 0 {
		if !p.isolated {
			for _, pid := range family(p.pid) {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		unix.Kill(-p.pid, unix.SIGKILL)
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

// Package testserver runs the servers that tests start: processes that end with the
// test, even if the test is killed, and ports for them.
package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Process is a server that was started.
type Process struct {
	Started time.Time

	cmd    *exec.Cmd
	ended  chan struct{}
	err    error // of Wait, once ended is closed
	killed atomic.Bool
}

// Start starts a command that ends with this process. Linux ties that to the thread
// that started it, so one permanent thread starts them all.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	reply := make(chan error)
	starter() <- func() { reply <- cmd.Start() }
	if err := <-reply; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, Started: time.Now(), ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go startAll(work)
	return work
})

func startAll(work <-chan func()) {
	runtime.LockOSThread()
	for f := range work {
		f()
	}
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Failed reports whether the process has ended with an error, and not by Kill.
func (p *Process) Failed() bool { return !p.Running() && p.err != nil && !p.killed.Load() }

// Wait waits for the end of the process. If it takes too long, the process is killed.
func (p *Process) Wait(most time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(most):
		p.Kill()
		return fmt.Errorf("still running after %s", most)
	}
}

// Kill kills the process and waits for its exit.
func (p *Process) Kill() {
	p.killed.Store(true)
	p.cmd.Process.Kill()
	<-p.ended
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Tail returns the end of a log for an error message.
func Tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

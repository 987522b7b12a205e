// Package launch starts the process of a plugin inside a sandbox.
//
// A program that is to be confined cannot be trusted to confine itself, and
// tkit cannot enter the plugin's namespaces before they exist. So tkit starts a
// launcher in new namespaces: a program that links this package, which takes
// over before main, applies the sandbox to itself, and then executes the
// plugin. It is one process throughout, with one PID.
//
// With the build tag launcher, the launcher is the program in the folder
// launcher, which is embedded and starts in a few milliseconds. Without it, as
// in the tests of authors, the launcher is the running program itself.
package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// name is the first argument of a process that will become a plugin.
const name = "tkit-plugin-launcher"

// Spec describes the process to start and its permissions.
type Spec struct {
	Path        string   // the executable
	Args        []string // the first is the name of the program
	Environment []string // complete, NAME=VALUE each
	Folder      string   // its working folder, the only place it may write to
	Readable    []string // readable in addition to the system
	Network     bool     // whether it may access the network
	Memory      uint64   // limit of one process's data in bytes
	CPUs        []int    // the processors it is bound to; nil: all
}

// Protections lists the parts of the sandbox that are active on this machine.
type Protections struct {
	// Processes: it sees only its own processes, through its own /proc.
	Processes bool `json:"processes"`
	// Network: it has its own network namespace without interfaces, unless it
	// was given the machine's network.
	Network bool `json:"network"`
	// ReadOnly: every file system except its own folder is mounted read-only.
	ReadOnly bool `json:"read_only"`
	// Files: Landlock denies all files except those it is given.
	Files bool `json:"files"`
	// Signals: it cannot signal processes outside.
	Signals bool `json:"signals"`
	// Calls: a filter denies the system calls that plugins do not need.
	Calls bool `json:"calls"`
	// Powers: it has no capabilities.
	Powers bool `json:"powers"`
}

// A Protection is one part of the sandbox, as text.
type Protection struct {
	Words  string
	Closed bool // active on this machine
}

// List returns all protections. network means that the plugin has network
// access, so that the network is not part of the sandbox.
func (p Protections) List(network bool) []Protection {
	all := []Protection{
		{"other processes hidden (a /proc of its own)", p.Processes},
		{"file systems mounted read-only", p.ReadOnly},
		{"files of others closed (Landlock)", p.Files},
		{"signals to other processes blocked", p.Signals},
		{"system calls filtered (seccomp)", p.Calls},
		{"capabilities dropped", p.Powers},
	}
	if !network {
		all = append(all, Protection{"network closed", p.Network})
	}
	return all
}

// Missing lists the inactive ones.
func (p Protections) Missing(network bool) []string {
	var missing []string
	for _, one := range p.List(network) {
		if !one.Closed {
			missing = append(missing, one.Words)
		}
	}
	return missing
}

// report is the launcher's message to its starter before it becomes the plugin.
type report struct {
	Protections Protections
	Step        string        // the failed step; empty: none
	Number      syscall.Errno // the system error, or 0
	Words       string        // text of another error
}

func (r report) err() error {
	switch {
	case r.Number != 0:
		return os.NewSyscallError(r.Step, r.Number)
	case r.Step != "":
		return fmt.Errorf("%s: %s", r.Step, r.Words)
	}
	return nil
}

// Process is a process that is becoming a plugin.
type Process struct {
	Cmd    *exec.Cmd
	spec   Spec
	orders *os.File // this side's ends of the pipes, nil when closed
	report *os.File
}

// Start starts the launcher, in its own namespaces if isolated. files become
// the descriptors from 3 on. The calling goroutine must stay on its thread for
// the process's lifetime: the kernel kills the process with the thread. Finish
// must follow.
func Start(s Spec, stdout, stderr *os.File, files []*os.File, isolated bool) (*Process, error) {
	launcher, err := program()
	if err != nil {
		return nil, err
	}
	read, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answer, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, read.Close(), orders.Close())
	}
	p := &Process{spec: s, orders: orders, report: answer}
	first := 3 + len(files) // of the launcher's own descriptors
	p.Cmd = &exec.Cmd{
		// The launcher is one of its own files: any other descriptor may be
		// overwritten while these are moved into place.
		Path: fmt.Sprintf("/proc/self/fd/%d", first+2), Args: []string{name, strconv.Itoa(first)}, Env: programEnvironment(),
		Stdout: stdout, Stderr: stderr, ExtraFiles: append(files[:len(files):len(files)], read, write, launcher),
		SysProcAttr: attributes(s.Network, isolated),
	}
	err = p.Cmd.Start()
	closed := errors.Join(read.Close(), write.Close()) // the process has its own
	if err != nil {
		return nil, errors.Join(err, closed, p.close())
	}
	return p, nil
}

// Finish sends the launcher its orders and waits until it has become the plugin
// or ended. Killing the process ends the wait.
func (p *Process) Finish() (Protections, error) {
	sent := json.NewEncoder(p.orders).Encode(p.spec)
	sent = errors.Join(sent, p.orders.Close())
	p.orders = nil
	// One report precedes the last step, and another follows if that fails.
	var last report
	reports := 0
	for d := json.NewDecoder(io.LimitReader(p.report, 1<<16)); ; reports++ {
		var r report
		if err := d.Decode(&r); err != nil {
			break
		}
		last = r
	}
	if reports == 0 {
		return Protections{}, errors.Join(errors.New("it ended before it was confined"), sent, p.close())
	}
	return last.Protections, errors.Join(last.err(), p.close())
}

func (p *Process) close() error {
	var err error
	for _, f := range []*os.File{p.orders, p.report} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	p.orders, p.report = nil, nil
	return err
}

// attributes make the process the leader of its own session and group, without
// the terminal, killed with tkit. In its own namespaces all its descendants are
// killed with it, and it sees neither other processes nor a network.
func attributes(network, isolated bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if !isolated {
		return a
	}
	a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	if !network {
		a.Cloneflags |= syscall.CLONE_NEWNET
	}
	uid, gid := os.Getuid(), os.Getgid()
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	a.AmbientCaps = []uintptr{capSysAdmin} // to mount, until the plugin begins
	return a
}

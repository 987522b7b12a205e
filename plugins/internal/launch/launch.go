// Package launch starts the process of a plugin inside a sandbox.
//
// A program that is to be confined cannot be trusted to confine itself, and tkit
// cannot enter the plugin's namespaces before they exist. So tkit starts a
// launcher in new namespaces: a program that is linked with this package, which
// takes over before main, closes the sandbox around itself, and then becomes the
// plugin. It is one process from beginning to end, with one number.
//
// With the build tag launcher, the launcher is the program of the folder
// launcher, which is embedded and starts in a few milliseconds. Without it, as in
// the tests of authors, the launcher is the running program itself.
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

// name is the first argument of a process that is to become a plugin.
const name = "tkit-plugin-launcher"

// Spec says what to start and what it may have.
type Spec struct {
	Path        string   // the executable
	Args        []string // the first is the name that it sees as its own
	Environment []string // all of it, NAME=VALUE each
	Folder      string   // its own, where it starts and the only place it may write to
	Readable    []string // what it may read besides the system
	Network     bool     // whether it may reach the network
	Memory      uint64   // the most bytes of data of one process
	CPUs        []int    // the processors it is bound to; nil: all
}

// Protections are the parts of the sandbox that this machine could close.
type Protections struct {
	// Processes: it sees only its own processes, by a /proc of its own.
	Processes bool `json:"processes"`
	// Network: it has a network of its own without any interface, unless it was
	// given the machine's.
	Network bool `json:"network"`
	// ReadOnly: every file system but its own folder is mounted read-only.
	ReadOnly bool `json:"read_only"`
	// Files: Landlock keeps it from all files but those it is given.
	Files bool `json:"files"`
	// Signals: it cannot signal the processes around it.
	Signals bool `json:"signals"`
	// Calls: a filter denies the system calls that no plugin needs.
	Calls bool `json:"calls"`
	// Powers: it has no capabilities.
	Powers bool `json:"powers"`
}

// A Protection is one part of the sandbox, in words for people.
type Protection struct {
	Words  string
	Closed bool // on this machine
}

// List is all of them. network says that the plugin was given the network, which
// is then no part of the sandbox.
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

// Missing names those that this machine could not close.
func (p Protections) Missing(network bool) []string {
	var missing []string
	for _, one := range p.List(network) {
		if !one.Closed {
			missing = append(missing, one.Words)
		}
	}
	return missing
}

// report is what the launcher tells its starter before it becomes the plugin.
type report struct {
	Protections Protections
	Step        string        // that failed; empty: none
	Number      syscall.Errno // of the system's error, or 0
	Words       string        // of another error
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

// Process is a process under way to become a plugin.
type Process struct {
	Cmd    *exec.Cmd
	spec   Spec
	orders *os.File // our ends of the pipes, nil once they are closed
	report *os.File
}

// Start starts the launcher, in namespaces of its own where isolated. files
// become the descriptors from 3 on. The calling goroutine must stay on its
// thread for as long as the process is to live: the kernel ends the process with
// the thread. Finish must follow.
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
		// overwritten while these are put in their places.
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

// Finish tells the launcher what to do and waits until it has become the plugin,
// or ends. Whoever kills the process ends the wait.
func (p *Process) Finish() (Protections, error) {
	sent := json.NewEncoder(p.orders).Encode(p.spec)
	sent = errors.Join(sent, p.orders.Close())
	p.orders = nil
	// One report comes before the last step, and another if that fails.
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

// attributes make the process the head of a session and group of its own, away
// from the terminal, that ends with tkit. In namespaces of its own all that it
// starts ends with it, and it sees neither other processes nor a network.
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

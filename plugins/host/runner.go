package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"tkit/plugins/internal/contract"
	"tkit/plugins/internal/launch"
)

// child is a plugin's process as a runner for go-plugin. Go-plugin gets only
// the first line of standard output: it would stop reading at a long line, and
// fail on JSON that it does not expect.
type child struct {
	spec        launch.Spec
	files       []*os.File // inherited by it
	shared      bool       // without namespaces, even if available
	share       int        // number of processors
	socketDir   string
	stdout      *lines
	stderr      *lines
	isolated    bool // the process runs in its own namespaces
	protections Protections
	out, err    *os.File // our ends of the pipes
	outEnd      *os.File // and those of the process
	errEnd      *os.File
	reading     sync.WaitGroup

	// The first line of standard output, and the pipe to go-plugin.
	head      *io.PipeReader
	headIn    *io.PipeWriter
	handshake string

	mu     sync.Mutex
	pid    int           // 0 before the start and after the process is reaped
	number int           // the same, kept afterwards
	doomed bool          // it is to be killed, or must not start
	ended  chan struct{} // closed when it is reaped
	endErr error

	refusal error // why the process could not become the plugin; set before Start returns
}

var _ runner.Runner = (*child)(nil)

// newChild returns a process that equip prepares for its start.
func newChild(exe *executable, memory *os.File, c Config, dir string, log *slog.Logger) *child {
	p := &child{
		spec: launch.Spec{
			// The sealed copy, inherited by the process as its first
			// descriptor.
			Path: "/proc/self/fd/3", Args: []string{filepath.Base(exe.path)}, Folder: dir,
			Environment: environment(c, dir), Readable: c.Readable, Network: c.Network, Memory: uint64(c.Memory),
		},
		files:  []*os.File{exe.file},
		shared: c.shared, share: c.CPUs,
		stdout: newLines(log, "stdout"),
		stderr: newLines(log, "stderr"),
		ended:  make(chan struct{}),
	}
	p.head, p.headIn = io.Pipe()
	if memory != nil {
		p.files = append(p.files, memory)
		p.spec.Environment = append(p.spec.Environment, contract.MemoryVariable+"=4")
	}
	return p
}

// equip adds go-plugin's settings for the process, including the folder for its
// socket.
func (p *child) equip(_ hclog.Logger, spec *exec.Cmd, socketDir string) (runner.Runner, error) {
	p.spec.Environment, p.socketDir = append(p.spec.Environment, spec.Env...), socketDir
	return p, nil
}

// environment returns the plugin's complete environment.
func environment(c Config, dir string) []string {
	threads := strconv.Itoa(c.CPUs)
	return append([]string{
		"PATH=" + strings.Join(append(c.Path[:len(c.Path):len(c.Path)], "/usr/local/bin", "/usr/bin", "/bin"), ":"),
		"HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8",
		"GOMAXPROCS=" + threads, "OMP_NUM_THREADS=" + threads, "OPENBLAS_NUM_THREADS=" + threads,
		// Go's garbage collector works harder before the limit kills it.
		"GOMEMLIMIT=" + strconv.FormatInt(c.Memory/10*9, 10),
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1",
	}, c.Environment...)
}

// Start starts and confines the process, and returns when it runs the plugin.
func (p *child) Start(context.Context) error {
	var err error
	if p.out, p.outEnd, err = os.Pipe(); err != nil {
		return err
	}
	if p.err, p.errEnd, err = os.Pipe(); err != nil {
		err = errors.Join(err, p.out.Close(), p.outEnd.Close())
		p.out = nil
		return err
	}
	started := make(chan error, 1)
	go p.run(started)
	err = errors.Join(<-started, p.outEnd.Close(), p.errEnd.Close())
	p.reading.Go(func() {
		r := bufio.NewReader(p.out)
		p.handshake, _ = firstLine(r)
		io.WriteString(p.headIn, p.handshake)
		p.headIn.Close()
		io.Copy(p.stdout, r)
	})
	p.reading.Go(func() { io.Copy(p.stderr, p.err) })
	return err
}

// Stdout returns the first line of standard output.
func (p *child) Stdout() io.ReadCloser { return p.head }

// Stderr is empty until the process ends, because it is read here: go-plugin
// would begin to wait for its readers before both exist if this one ended at
// once.
func (p *child) Stderr() io.ReadCloser { return untilEnd{p.ended} }

// untilEnd is empty and ends when ended is closed.
type untilEnd struct{ ended <-chan struct{} }

func (u untilEnd) Read([]byte) (int, error) {
	<-u.ended
	return 0, io.EOF
}

func (untilEnd) Close() error { return nil }

// Wait returns when the process has ended.
func (p *child) Wait(context.Context) error {
	<-p.ended
	return p.endErr
}

// Kill kills the process and its descendants.
func (p *child) Kill(context.Context) error {
	p.kill()
	return nil
}

// release closes the pipes when they are read to their end, or after a moment:
// an escaped process may hold them open.
func (p *child) release() {
	p.head.Close()
	if p.out == nil {
		return
	}
	read := make(chan struct{})
	go func() { p.reading.Wait(); close(read) }()
	select {
	case <-read:
	case <-time.After(200 * time.Millisecond):
	}
	p.out.Close()
	p.err.Close()
	<-read
	p.stdout.close()
	p.stderr.close()
}

// said returns the process's last output.
func (p *child) said() string {
	return strings.Trim(p.stdout.said()+" | "+p.stderr.said(), " |")
}

// PluginToHost accepts only a socket in the process's folder as an address.
func (p *child) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(filepath.Clean(address)) != filepath.Clean(p.socketDir) {
		return "", "", fmt.Errorf("it listens at %s %q, which is not a socket in its folder", network, address)
	}
	return network, address, nil
}

// HostToPlugin returns the same address.
func (p *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// Name returns the executable's name.
func (p *child) Name() string { return p.spec.Args[0] }

// ID returns the process ID.
func (p *child) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.number == 0 {
		return ""
	}
	return strconv.Itoa(p.number)
}

// Diagnose returns nothing.
func (p *child) Diagnose(context.Context) string { return "" }

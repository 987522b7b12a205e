package host

import (
	"cmp"
	"log/slog"
	"runtime"
	"time"
)

// Config says how plugins are run. The zero value of a member has the meaning
// that stands beside it.
type Config struct {
	// Folders are those below which executables may lie. There are no others:
	// without any, no plugin is started.
	Folders []string
	// Readable are the files and folders that plugins may read besides those of
	// the system (/usr, /etc and the like) and their own.
	Readable []string
	// Path is where programs are looked for first, before /usr/local/bin,
	// /usr/bin and /bin: a plugin in Python finds its python3 there.
	Path []string
	// Environment is what plugins see of the environment besides PATH, HOME,
	// TMPDIR, LANG and the numbers of threads; NAME=VALUE each.
	Environment []string
	// Network lets plugins reach the network. By default they don't.
	Network bool

	// Processes is how many of one plugin run side by side. Zero: 2.
	Processes int
	// Memory bounds the bytes that a process and all that it starts take, the
	// shared memory not counted. Zero: 1 GiB.
	Memory int64
	// CPUs is how many processors one process may use. Zero: all, shared out
	// among the processes of a plugin.
	CPUs int

	// Start bounds the time from the start of a process to its first answer.
	// Zero: 20 s.
	Start time.Duration
	// Timeout bounds the time of one batch. Zero: 30 s.
	Timeout time.Duration
	// Grace is how long a process may go on with a batch that was given up, or
	// take to end. Zero: 2 s.
	Grace time.Duration
	// Health is how often idle processes are asked whether they live. Zero: 5 s.
	Health time.Duration
	// Audit has every so manieth batch processed twice, the first included,
	// where a plugin says that it is deterministic. Zero: 1,000; negative: never.
	Audit int

	// NoSharedMemory sends all data by gRPC.
	NoSharedMemory bool
	// shared runs processes without namespaces of their own, as where users may
	// not have them.
	shared bool

	// Log is told what plugins print and what becomes of them. Nil: nobody.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Processes = max(1, cmp.Or(c.Processes, 2))
	c.Memory = cmp.Or(c.Memory, 1<<30)
	c.CPUs = min(cmp.Or(c.CPUs, max(1, runtime.NumCPU()/c.Processes)), runtime.NumCPU())
	c.Start = cmp.Or(c.Start, 20*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	c.Health = cmp.Or(c.Health, 5*time.Second)
	c.Audit = cmp.Or(c.Audit, 1000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

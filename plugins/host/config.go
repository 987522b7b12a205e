package host

import (
	"cmp"
	"log/slog"
	"runtime"
	"time"
)

// Config configures the host. The comments state the meaning of zero values.
type Config struct {
	// Folders are the folders below which executables must be. If there are
	// none, no plugin is started.
	Folders []string
	// Readable lists files and folders that plugins may read, in addition to
	// the system's (/usr, /etc and the like) and their own.
	Readable []string
	// Path is searched for programs first, before /usr/local/bin, /usr/bin and
	// /bin: a plugin in Python finds its python3 there.
	Path []string
	// Environment is the plugins' environment, in addition to PATH, HOME,
	// TMPDIR, LANG and the numbers of threads; NAME=VALUE each.
	Environment []string
	// Network gives plugins access to the network.
	Network bool

	// Processes is the number of processes of one plugin. Zero: 2.
	Processes int
	// Memory bounds the memory of a process and its children in bytes, without
	// the shared memory. Zero: 1 GiB.
	Memory int64
	// CPUs is how many processors one process may use. Zero: all, divided among
	// the processes of a plugin.
	CPUs int

	// Start bounds the time from the start of a process to its first response.
	// Zero: 20 s.
	Start time.Duration
	// Timeout bounds the time of one batch. Zero: 30 s.
	Timeout time.Duration
	// Grace is how long a process may continue with an abandoned batch, or take
	// to end. Zero: 2 s.
	Grace time.Duration
	// Health is the interval of health checks of idle processes. Zero: 5 s.
	Health time.Duration
	// Audit is the interval, in batches, at which a batch is processed twice if
	// the plugin declares itself deterministic, beginning with the first. Zero:
	// 1,000; negative: never.
	Audit int

	// NoSharedMemory sends all data by gRPC.
	NoSharedMemory bool
	// shared runs processes without namespaces, as on machines where users
	// cannot create them.
	shared bool

	// Log receives the plugins' output and events. Nil: no log.
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

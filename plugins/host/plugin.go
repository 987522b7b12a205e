// Package host runs plugins: it starts their processes from verified
// executables, confines them, feeds them with batches, checks their results,
// and ends them.
//
// A plugin may hang, crash or return wrong results. The batch then fails with
// an error that says so, and the plugin is restarted for the next one.
// docs/security-plugins.md describes what a plugin can and cannot do to its
// host.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tkit/plugins"
)

// Plugin is a running plugin with a few processes. It is safe for concurrent
// use. Close ends it.
type Plugin struct {
	config      Config
	exe         *executable
	description plugins.Description
	shares      bool // whether it shares memory with its processes
	protections Protections
	log         *slog.Logger
	slots       chan *slot
	ctx         context.Context // cancelled by Close
	cancel      context.CancelFunc
	closing     sync.Once
	closed      error
	work        sync.WaitGroup // its goroutines

	mu      sync.Mutex
	breaker breaker
	running map[*process]bool

	stats   struct{ batches, images, retried, crashes, timeouts, breaches, unequal atomic.Int64 }
	audited atomic.Int64
}

// slot holds one process, nil while there is none.
type slot struct{ process *process }

// Stats counts events since a plugin was opened.
type Stats struct {
	Batches, Images int64 // completed
	Retried         int64 // batches retried after a crash
	Crashes         int64 // processes that ended unexpectedly
	Timeouts        int64 // processes killed because a batch took too long
	Breaches        int64 // violations of the contract
	Unequal         int64 // differing results though declared deterministic
}

// Open starts the executable at path, which must have the given digest, and
// waits for its first process's description.
func Open(ctx context.Context, path, digest string, c Config) (*Plugin, error) {
	tidyFolders()
	c = c.withDefaults()
	exe, err := openExecutable(path, digest, c.Folders)
	if err != nil {
		return nil, err
	}
	p := &Plugin{config: c, exe: exe, slots: make(chan *slot, c.Processes), running: map[*process]bool{}, log: c.Log.With("plugin", digest[:min(len(digest), 19)])}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	first, err := startProcess(ctx, exe, c, p.log)
	if err != nil {
		p.cancel()
		return nil, errors.Join(fmt.Errorf("plugin %s: %w", exe.path, err), exe.close())
	}
	p.description, p.shares, p.protections = first.description, first.area != nil, first.child.protections
	p.log = c.Log.With("plugin", p.description.String())
	if _, err := compileSchema(p.description.ConfigSchema); err != nil {
		first.end(true)
		p.cancel()
		return nil, errors.Join(fmt.Errorf("plugin %s: %w", p.description, err), exe.close())
	}
	p.running[first] = true
	p.slots <- &slot{first}
	for range c.Processes - 1 {
		p.refill(&slot{})
	}
	p.work.Go(p.watch)
	return p, nil
}

// Describe returns the plugin's description.
func (p *Plugin) Describe() plugins.Description { return p.description }

// Digest returns the digest of the executable.
func (p *Plugin) Digest() string { return p.exe.digest }

// SharesMemory reports whether batches are passed in shared memory instead of
// messages.
func (p *Plugin) SharesMemory() bool { return p.shares }

// Protections returns how its processes are confined on this machine.
func (p *Plugin) Protections() Protections { return p.protections }

// Stats returns the counts so far.
func (p *Plugin) Stats() Stats {
	s := &p.stats
	return Stats{s.batches.Load(), s.images.Load(), s.retried.Load(), s.crashes.Load(), s.timeouts.Load(), s.breaches.Load(), s.unequal.Load()}
}

// PIDs returns the process IDs of the plugin's processes.
func (p *Plugin) PIDs() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int
	for running := range p.running {
		if pid, err := strconv.Atoi(running.child.ID()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Memory returns the bytes used by its processes and their descendants, without
// the memory shared with tkit.
func (p *Plugin) Memory() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sum int64
	for running := range p.running {
		_, memory := running.taken()
		sum += memory
	}
	return sum
}

// Process processes a batch. config must match the plugin's schema; see With.
// The errors are a *plugins.ImageError, those of this package, or ctx's.
func (p *Plugin) Process(ctx context.Context, config json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	if err := in.Validate(); err != nil {
		return plugins.Batch{}, p.wrap(err)
	}
	if err := p.description.Takes.Admits(in); err != nil {
		return plugins.Batch{}, p.wrap(err)
	}
	out, crashedAt, err := p.once(ctx, config, in)
	if crashedAt {
		p.stats.retried.Add(1)
		out, _, err = p.once(ctx, config, in)
	}
	if err != nil {
		return plugins.Batch{}, p.wrap(err)
	}
	p.stats.batches.Add(1)
	p.stats.images.Add(int64(in.Count))
	return out, nil
}

func (p *Plugin) wrap(err error) error {
	if blamesImage(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("plugin %s: %w", p.description, err)
}

// once processes the batch in the next free process, and reports whether the
// process crashed.
func (p *Plugin) once(ctx context.Context, config json.RawMessage, in plugins.Batch) (out plugins.Batch, crash bool, err error) {
	s, err := p.take(ctx)
	if err != nil {
		return out, false, err
	}
	out, fate, err := s.process.process(ctx, config, in)
	if err == nil && p.due() {
		fate, err = p.audit(ctx, s.process, config, in, out)
	}
	switch fate {
	case alive:
		p.succeeded()
		p.give(s)
	case busy:
		p.settle(s)
	case crashed:
		err = s.process.crash(err)
		p.stats.crashes.Add(1)
		p.replace(s, err)
	case hung:
		p.stats.timeouts.Add(1)
		p.replace(s, err)
	}
	if errors.As(err, new(*Breach)) {
		p.stats.breaches.Add(1)
		p.log.Error("a plugin violates its contract", "error", err)
	}
	return out, fate == crashed, err
}

// due reports whether a batch is processed a second time for comparison.
func (p *Plugin) due() bool {
	return p.description.Deterministic && p.config.Audit > 0 && (p.audited.Add(1)-1)%int64(p.config.Audit) == 0
}

// audit processes a batch again. A difference is logged and counted, but the
// result is used: callers that need to stop check Stats.
func (p *Plugin) audit(ctx context.Context, by *process, config json.RawMessage, in, out plugins.Batch) (fate, error) {
	again, fate, err := by.process(ctx, config, in)
	if fate == alive && (err != nil || !again.Equal(out)) {
		p.stats.unequal.Add(1)
		p.log.Error("a plugin that declares itself deterministic returned different results for the same batch; its results are not reproducible", "error", err)
		return alive, nil
	}
	return fate, err
}

// take waits for a free process, and starts one if there is none. A process
// that ended while idle is replaced in the background, and callers continue
// with the others.
func (p *Plugin) take(ctx context.Context) (*slot, error) {
	for {
		var s *slot
		select {
		case <-p.ctx.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		case s = <-p.slots:
		}
		switch {
		case s.process == nil:
			if err := p.start(ctx, s); err != nil {
				p.give(s)
				return nil, err
			}
			return s, nil
		case !s.process.child.over():
			return s, nil
		}
		p.stats.crashes.Add(1)
		p.replace(s, s.process.crash(errors.New("while idle")))
	}
}

// give returns a slot.
func (p *Plugin) give(s *slot) { p.slots <- s }

// start starts a slot's process if the breaker allows it.
func (p *Plugin) start(ctx context.Context, s *slot) error {
	p.mu.Lock()
	wait, err := p.breaker.wait(time.Now())
	p.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-p.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	started, err := startProcess(ctx, p.exe, p.config, p.log)
	if err == nil && !same(started.description, p.description) {
		started.end(true)
		err = &Breach{"it describes itself differently when it is started again"}
	}
	if err != nil {
		if ctx.Err() == nil {
			p.failed(err)
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[started] = true
	s.process = started
	return nil
}

func same(a, b plugins.Description) bool {
	schema := string(a.ConfigSchema) == string(b.ConfigSchema)
	a.ConfigSchema, b.ConfigSchema = nil, nil
	return schema && fmt.Sprint(a) == fmt.Sprint(b)
}

// replace ends a slot's process, which failed with err, and starts another.
func (p *Plugin) replace(s *slot, err error) {
	p.failed(err)
	p.refill(s)
}

// refill ends a slot's process and starts another in the background. It returns
// the slot in any case: without a process, the next taker gets the error.
func (p *Plugin) refill(s *slot) {
	p.work.Go(func() {
		if s.process != nil {
			p.end(s, false)
		}
		if err := p.start(p.ctx, s); err != nil && p.ctx.Err() == nil {
			p.log.Warn("a plugin's process could not be started", "error", err)
		}
		p.give(s)
	})
}

// end ends a slot's process.
func (p *Plugin) end(s *slot, gracefully bool) {
	s.process.end(gracefully)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, s.process)
	s.process = nil
}

// settle returns a slot once its process has finished an abandoned batch; it
// kills a process that does not finish.
func (p *Plugin) settle(s *slot) {
	p.work.Go(func() {
		if err := s.process.settle(); err != nil {
			p.log.Warn("a plugin continues with an abandoned batch; its process is killed", "error", err)
			p.refill(s)
			return
		}
		p.give(s)
	})
}

func (p *Plugin) failed(err error) {
	p.log.Warn("a plugin failed", "error", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breaker = p.breaker.failed(time.Now(), err)
}

func (p *Plugin) succeeded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breaker = breaker{}
}

// watch kills processes that exceed their limits, runs health checks on idle
// ones, and replaces dead ones.
func (p *Plugin) watch() {
	memory, health := time.NewTicker(time.Second), time.NewTicker(p.config.Health)
	defer memory.Stop()
	defer health.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-memory.C:
			p.endExcesses()
			continue
		case <-health.C:
		}
		for range cap(p.slots) {
			select {
			case s := <-p.slots:
				p.check(s)
			default:
			}
		}
	}
}

func (p *Plugin) endExcesses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for running := range p.running {
		if err := running.excess(); err != nil {
			p.log.Error("a plugin's process is killed", "error", err)
			running.child.kill()
		}
	}
}

func (p *Plugin) check(s *slot) {
	if s.process == nil {
		p.refill(s)
		return
	}
	if err := s.process.healthy(p.ctx); err != nil && p.ctx.Err() == nil {
		p.replace(s, fmt.Errorf("an idle process failed its health check: %w", err))
		return
	}
	p.give(s)
}

// Close waits for active batches and ends the processes.
func (p *Plugin) Close() error {
	p.closing.Do(func() {
		p.cancel()
		for range cap(p.slots) {
			if s := <-p.slots; s.process != nil {
				p.end(s, true)
			}
		}
		p.work.Wait()
		p.closed = p.exe.close()
	})
	return p.closed
}

package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"tkit/internal/printable"
	"tkit/plugins"
	"tkit/plugins/internal/contract"
	"tkit/plugins/internal/link"
	"tkit/plugins/internal/shared"
	"tkit/plugins/internal/wire"
	"tkit/plugins/proto"
)

// process is one running process of a plugin. Its calls must not overlap.
type process struct {
	config      Config
	exe         *executable
	client      *plugin.Client
	child       *child
	rpc         proto.PreprocessorClient
	health      grpc_health_v1.HealthClient
	area        *shared.Area // nil if the process does not share memory
	description plugins.Description
	folder      *folder
	log         *slog.Logger
}

// startProcess starts a process and waits for its description.
func startProcess(ctx context.Context, exe *executable, c Config, log *slog.Logger) (_ *process, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.Start)
	defer cancel()
	p := &process{config: c, exe: exe, log: log}
	defer func() {
		if err != nil {
			p.end(false)
		}
	}()
	var memory *os.File
	if !c.NoSharedMemory {
		if p.area, err = shared.New(); err != nil {
			return nil, err
		}
		memory = p.area.File()
	}
	if p.folder, err = newFolder(); err != nil {
		return nil, err
	}
	ours, certificate, err := mutualTLS()
	if err != nil {
		return nil, err
	}
	p.child = newChild(exe, memory, c, p.folder.path, log)
	p.child.spec.Environment = append(p.child.spec.Environment, contract.CertificateVariable+"="+certificate)
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: contract.Version, MagicCookieKey: contract.Cookie, MagicCookieValue: contract.CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{contract.Version: {contract.Name: caller{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        ours,
		SkipHostEnv:      true,
		StartTimeout:     c.Start,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.folder.path},
		Logger:           libraryLog(log),
		SyncStdout:       newLines(log, "stdout"),
		SyncStderr:       newLines(log, "stderr"),
		GRPCDialOptions:  dialOptions(ours),
		RunnerFunc:       p.child.equip,
	})
	if err := p.connect(ctx); err != nil {
		return nil, p.startError(ctx, err)
	}
	if err := p.describe(ctx); err != nil {
		return nil, p.startError(ctx, err)
	}
	if missing := p.child.protections.Missing(c.Network); len(missing) > 0 {
		tellMissing(log, missing)
	}
	log.Debug("plugin started", "pid", p.child.ID(), "protections", p.child.protections, "processors", p.child.spec.CPUs, "shared_memory", p.area != nil)
	return p, nil
}

var missingTold sync.Once

// tellMissing logs once what this machine's sandbox lacks.
func tellMissing(log *slog.Logger, missing []string) {
	missingTold.Do(func() {
		log.Warn("some protections for plugins are not available on this machine; see docs/security-plugins.md", "missing", missing)
	})
}

// connect starts the process and connects to its service; ctx ends both.
func (p *process) connect(ctx context.Context) error {
	type result struct {
		service any
		err     error
	}
	done := make(chan result, 1)
	go func() {
		protocol, err := p.client.Client()
		if err != nil {
			done <- result{err: err}
			return
		}
		service, err := protocol.Dispense(contract.Name)
		done <- result{service, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		// Go-plugin itself waits until StartTimeout.
		p.child.kill()
		<-done
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	conn := r.service.(*grpc.ClientConn)
	p.rpc = proto.NewPreprocessorClient(conn)
	p.health = grpc_health_v1.NewHealthClient(conn)
	return nil
}

func dialOptions(c *tls.Config) []grpc.DialOption {
	buffers := &wire.Buffers{}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(link.Credentials(c)),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.NewCodec(buffers)), grpc.MaxCallRecvMsgSize(contract.MaxMessage)),
		experimental.WithBufferPool(buffers),
		grpc.WithInitialWindowSize(contract.Window), grpc.WithInitialConnWindowSize(contract.Window),
		grpc.WithReadBufferSize(0), grpc.WithWriteBufferSize(contract.Buffer), // the credentials read ahead
	}
}

// caller returns the connection.
type caller struct{ plugin.NetRPCUnsupportedPlugin }

func (caller) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return errors.ErrUnsupported }

func (caller) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// maxDescription bounds a plugin's description, in bytes.
const maxDescription = maxSchemaBytes + 64<<10

func (p *process) describe(ctx context.Context) error {
	m, err := p.rpc.Describe(ctx, &proto.DescribeRequest{}, grpc.MaxCallRecvMsgSize(maxDescription))
	if status.Code(err) == codes.ResourceExhausted {
		return fmt.Errorf("its description is larger than %d bytes", maxDescription)
	}
	if err != nil {
		return fmt.Errorf("asking for its description: %s", printable.Line(err.Error(), longestMessage))
	}
	p.description = plugins.Description{
		Name: m.GetName(), Version: m.GetVersion(), Summary: m.GetSummary(), ConfigSchema: m.GetConfigSchema(),
		Takes: form(m.GetTakes()), Gives: form(m.GetGives()), Deterministic: m.GetDeterministic(),
	}
	if err := p.description.Validate(); err != nil {
		return fmt.Errorf("its description: %s", printable.Line(err.Error(), longestMessage))
	}
	if !m.GetSharedMemory() && p.area != nil {
		err := p.area.Close()
		p.area = nil
		return err
	}
	return nil
}

func form(m *proto.Form) plugins.Form {
	return plugins.Form{Kind: plugins.Kind(m.GetKind()), Shape: [3]int{int(m.GetHeight()), int(m.GetWidth()), int(m.GetChannels())}}
}

// startError explains to the author why a process did not start.
func (p *process) startError(ctx context.Context, err error) error {
	p.child.kill()
	p.child.release()
	said := p.child.said()
	if parts := strings.Split(p.child.handshake, "|"); len(parts) > 1 && strings.Contains(err.Error(), "incompatible API version") {
		version, _ := strconv.Atoi(parts[1])
		return &StartError{&ContractError{Plugin: version, Host: contract.Version}, ""}
	}
	line := strings.TrimSpace(p.child.handshake)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it was not ready within %v", p.config.Start)
	case ctx.Err() != nil:
		return ctx.Err()
	case line != "" && strings.Contains(err.Error(), "Unrecognized remote plugin message"):
		err = fmt.Errorf("it printed %q to standard output, which only the SDK's Serve may do, or it is not a plugin", line)
	case line == "" && errors.Is(p.child.refusal, unix.ENOEXEC):
		err = fmt.Errorf("it is not a program for this machine: %w", p.child.refusal)
	case p.child.refusal != nil:
		err = fmt.Errorf("its process cannot be prepared: %w", p.child.refusal)
	case line == "":
		err = fmt.Errorf("it ended at once (%s)", p.child.how())
	}
	return &StartError{err, said}
}

// mostProcesses bounds the number of processes of a plugin's process, including
// its descendants.
const mostProcesses = 256

// excess returns an error if the process, with its descendants, exceeds its
// limits.
func (p *process) excess() error {
	switch processes, memory := p.taken(); {
	case memory > p.config.Memory:
		return fmt.Errorf("it and the processes it started use %d MB of memory, more than the allowed %d", memory>>20, p.config.Memory>>20)
	case processes > mostProcesses:
		return fmt.Errorf("it has started %d processes, more than the allowed %d", processes-1, mostProcesses-1)
	}
	return nil
}

// healthy runs a health check on an idle process.
func (p *process) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Grace)
	defer cancel()
	answer, err := p.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: contract.HealthService})
	if err == nil && answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("its health is %s", answer.GetStatus())
	}
	return err
}

// settle waits until an abandoned batch is finished.
func (p *process) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.Grace)
	defer cancel()
	_, err := p.rpc.Settle(ctx, &proto.SettleRequest{})
	return err
}

// end ends the process: gracefully within Grace, or at once. It returns when
// all of its processes have ended.
func (p *process) end(gracefully bool) {
	if p.child != nil {
		if gracefully {
			timer := time.AfterFunc(p.config.Grace, p.child.kill)
			defer timer.Stop()
		} else {
			p.child.kill()
		}
	}
	if p.client != nil {
		p.client.Kill()
	}
	if p.child != nil {
		p.child.release()
	}
	if p.area != nil {
		p.area.Close()
	}
	if p.folder != nil {
		if err := p.folder.remove(); err != nil {
			p.log.Warn("a plugin's folder could not be removed", "folder", p.folder.path, "error", err)
		}
	}
}

// Command faulty is a plugin with every fault that the host must survive.
// Faults at start are selected by FAULT in its environment, the others by "do"
// in its configuration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"tkit/plugins"
	"tkit/plugins/internal/contract"
)

// version is set by the linker.
var version = "1.0.0"

type config struct {
	Do    string `json:"do"`
	Bytes int    `json:"bytes"`
	Path  string `json:"path"`
	// White restricts it to batches that begin with white.
	White bool `json:"white"`
}

type faulty struct {
	kept  [][]byte
	calls int
}

func (*faulty) Describe() plugins.Description {
	return plugins.Description{
		Name: "faulty", Version: version,
		ConfigSchema: json.RawMessage(`{
			"type": "object", "additionalProperties": false,
			"properties": {"do": {"type": "string"}, "path": {"type": "string"}, "white": {"type": "boolean"}, "bytes": {"type": "integer", "minimum": 0}}
		}`),
		Takes: plugins.Form{Kind: plugins.Float32}, Gives: plugins.Form{Kind: plugins.Float32},
		Deterministic: true,
	}
}

// Process adds one to every value, unless configured otherwise.
func (f *faulty) Process(ctx context.Context, text json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	var c config
	if len(text) > 0 {
		if err := json.Unmarshal(text, &c); err != nil {
			return plugins.Batch{}, err
		}
	}
	f.calls++
	out := plugins.NewBatch(in.Kind, in.Count, in.Shape)
	for i, v := range in.Float32 {
		out.Float32[i] = v + 1
	}
	if c.White && in.Float32[0] < 255 {
		return out, nil
	}
	switch c.Do {
	case "":
	case "hang":
		select {}
	case "spin until cancelled":
		<-ctx.Done()
		return out, ctx.Err()
	case "crash":
		panic("a bug of the author's")
	case "crash once":
		if f.calls == 1 {
			os.Exit(3)
		}
	case "leak":
		leaked := make([]byte, c.Bytes)
		for i := 0; i < len(leaked); i += 4096 {
			leaked[i] = 1
		}
		f.kept = append(f.kept, leaked)
	case "leak shared":
		leaked, err := syscall.Mmap(-1, 0, c.Bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_ANON)
		if err != nil {
			return out, err
		}
		for i := 0; i < len(leaked); i += 4096 {
			leaked[i] = 1
		}
	case "leak file":
		fd, err := unix.MemfdCreate("leak", 0)
		if err != nil {
			return out, err
		}
		for range c.Bytes >> 20 {
			if _, err := unix.Write(fd, make([]byte, 1<<20)); err != nil {
				return out, err
			}
		}
	case "leak into the shared memory":
		memory, err := strconv.Atoi(os.Getenv(contract.MemoryVariable))
		if err != nil {
			return out, err
		}
		for i := range c.Bytes >> 20 {
			if _, err := unix.Pwrite(memory, make([]byte, 1<<20), int64(i+1)<<20); err != nil {
				return out, err
			}
		}
	case "fork many":
		for range c.Bytes {
			if err := exec.Command("sleep", "1000").Start(); err != nil {
				return out, err
			}
		}
		select {}
	case "shape":
		return plugins.NewBatch(plugins.Float32, in.Count, [3]int{1, 1, 1}), nil
	case "count":
		return plugins.NewBatch(plugins.Float32, in.Count+1, in.Shape), nil
	case "kind":
		return plugins.NewBatch(plugins.Uint8, in.Count, in.Shape), nil
	case "nan":
		out.Float32[len(out.Float32)-1] = float32(math.NaN())
	case "print":
		fmt.Println("printed by fmt")
		fmt.Fprintln(os.Stderr, `{"@message": 5}`) // go-plugin's parser fails on this
		syscall.Write(1, []byte("printed by the system call\n"))
		syscall.Write(1, make([]byte, 1<<20))
	case "fork":
		cmd := exec.Command("sleep", c.Path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of the process group
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return out, err
		}
	case "lie":
		out.Float32[0] = float32(f.calls)
	case "error":
		return out, errors.New("cannot do that")
	case "image":
		return out, &plugins.ImageError{Image: in.Count - 1, Reason: "too dark"}
	case "image out of range":
		return out, &plugins.ImageError{Image: in.Count, Reason: "there is none"}
	case "write where it must not":
		for i := range in.Float32 {
			in.Float32[i] = -1
		}
	case "read":
		_, err := os.ReadFile(c.Path)
		return out, err
	case "write":
		return out, os.WriteFile(c.Path, append([]byte("was here"), make([]byte, c.Bytes)...), 0o600)
	case "connect", "connect unix":
		network := map[string]string{"connect": "tcp", "connect unix": "unix"}[c.Do]
		conn, err := net.Dial(network, c.Path)
		if err == nil {
			conn.Close()
		}
		return out, err
	case "shrink":
		memory, err := strconv.Atoi(os.Getenv(contract.MemoryVariable))
		if err != nil {
			return out, err
		}
		return out, os.NewSyscallError("ftruncate", syscall.Ftruncate(memory, 0))
	case "processors": // as many as possible
		var wanted, given unix.CPUSet
		for cpu := range 1024 {
			wanted.Set(cpu)
		}
		refused := unix.SchedSetaffinity(0, &wanted)
		if err := unix.SchedGetaffinity(0, &given); err != nil {
			return out, err
		}
		return out, fmt.Errorf("%d of them, %w", given.Count(), refused)
	case "environment":
		return out, fmt.Errorf("%q", os.Environ())
	case "break out":
		return out, fmt.Errorf("succeeded: %q", breakOut(c.Path))
	default:
		return out, fmt.Errorf("unknown action %s", c.Do)
	}
	return out, nil
}

func main() {
	switch os.Getenv("FAULT") {
	case "exit":
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(7)
	case "print":
		fmt.Println("starting up")
	case "hang":
		time.Sleep(time.Hour)
	case "contract":
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: contract.Cookie, MagicCookieValue: contract.CookieValue},
			VersionedPlugins: map[int]plugin.PluginSet{contract.Version + 1: {contract.Name: nothing{}}},
			GRPCServer:       plugin.DefaultGRPCServer,
		})
	}
	plugins.Serve(&faulty{})
}

type nothing struct{ plugin.NetRPCUnsupportedPlugin }

func (nothing) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (nothing) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

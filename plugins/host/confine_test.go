package host_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"tkit/internal/needs"
	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/proto"
)

func doAt(what, path string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"do": %q, "path": %q}`, what, path))
}

func TestLeaksAreBounded(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1, Memory: 300 << 20})
	for range 6 {
		if _, err := p.Process(t.Context(), json.RawMessage(`{"do": "leak", "bytes": 80000000}`), images(1)); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s.Crashes == 0 {
		t.Error("480 MB were kept within 300")
	}
	_, err := p.Process(t.Context(), json.RawMessage(`{"do": "leak", "bytes": 400000000}`), images(1))
	if !as[*host.CrashError](err) {
		t.Errorf("error %v, want a crash", err)
	}
	t.Log(err)
	answers(t, p)
}

// Memory that is shared with nobody, or in files without a name, is counted
// like any other, and so is what is put into the memory shared with tkit.
func TestMemoryIsBoundedWhereverItIs(t *testing.T) {
	needs.Minutes(t)
	for _, where := range []string{"leak shared", "leak file", "leak into the shared memory"} {
		t.Run(where, func(t *testing.T) {
			p := open(t, built.v1, host.Config{Processes: 1, Audit: -1, Memory: 300 << 20})
			leak := func(bytes int) json.RawMessage {
				return json.RawMessage(fmt.Sprintf(`{"do": %q, "bytes": %d}`, where, bytes))
			}
			if _, err := p.Process(t.Context(), leak(100<<20), images(1)); err != nil {
				t.Fatal(err)
			}
			if m := p.Memory(); m < 90<<20 || m > 200<<20 {
				t.Errorf("100 MB are counted as %d", m)
			}
			if _, err := p.Process(t.Context(), leak(350<<20), images(1)); err != nil && !as[*host.CrashError](err) {
				t.Fatal(err)
			}
			for p.Stats().Crashes == 0 {
				answers(t, p)
				if t.Context().Err() != nil {
					t.Fatal("450 MB were kept within 300")
				}
			}
			answers(t, p)
		})
	}
}

func TestNoOtherProcessors(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one processor, which all share")
	}
	if _, err := os.Stat("/proc/sys/kernel/seccomp"); err != nil {
		t.Skip("the kernel has no filters of system calls")
	}
	p := open(t, built.v1, host.Config{Processes: 2, CPUs: 1, Audit: -1})
	if _, err := p.Process(t.Context(), do("processors"), images(1)); err == nil || !strings.Contains(err.Error(), "1 of them, operation not permitted") {
		t.Errorf("it gets %v", err)
	}
}

func TestProcessesAreBounded(t *testing.T) {
	needs.Minutes(t)
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	_, err := p.Process(t.Context(), json.RawMessage(`{"do": "fork many", "bytes": 300}`), images(1))
	if !as[*host.CrashError](err) {
		t.Errorf("error %v, want a crash", err)
	}
	answers(t, p)
}

func TestNoProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(path, []byte("Dear Sir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := tryOpen(t, path, host.Config{}); err == nil || !strings.Contains(err.Error(), "not a program for this machine") || !errors.Is(err, syscall.ENOEXEC) && !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("opened %v, %v", p, err)
	}
}

func TestFiles(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1, Readable: []string{shown(t)}})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		do, path string
		allowed  bool
	}{
		{"read", secret, !p.Protections().Files},
		{"write", secret, !p.Protections().Files && !p.Protections().ReadOnly},
		{"write", filepath.Join(filepath.Dir(secret), "new"), !p.Protections().Files && !p.Protections().ReadOnly},
		{"read", "/etc/os-release", true},
		{"read", filepath.Join(shown(t), "plugin_test.go"), true},
		{"write", "of-its-own", true},
	} {
		_, err := p.Process(t.Context(), doAt(c.do, c.path), images(1))
		if (err == nil) != c.allowed {
			t.Errorf("%s %s: error %v, allowed %t", c.do, c.path, err, c.allowed)
		}
	}
}

// A plugin cannot write to the machine's /dev/shm; its own is small.
func TestSharedMemoryOfTheMachine(t *testing.T) {
	for way, c := range ways(host.Config{Processes: 1, Audit: -1}) {
		t.Run(way, func(t *testing.T) {
			p := open(t, built.v1, c)
			if !p.Protections().Files {
				t.Skip("the kernel has no Landlock")
			}
			path := fmt.Sprintf("/dev/shm/tkit-test-%d", os.Getpid())
			_, err := p.Process(t.Context(), doAt("write", path), images(1))
			if way == "without" && err == nil {
				t.Error("it writes there")
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there: %v", path, errors.Join(err, os.Remove(path)))
			}
			if _, err := p.Process(t.Context(), json.RawMessage(fmt.Sprintf(`{"do": "write", "path": %q, "bytes": 4000000}`, path)), images(1)); err == nil {
				t.Error("it puts 4 MB there")
			}
		})
	}
}

// shown returns a folder that a plugin may read.
func shown(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSharedMemoryDoesNotShrink(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	if !p.SharesMemory() {
		t.Fatal("it shares none")
	}
	_, err := p.Process(t.Context(), do("shrink"), images(1))
	if !as[*host.ProcessError](err) || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("error %v, want that it may not", err)
	}
	answers(t, p)
}

func TestOnlyItsHostMayCall(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	folders, err := filepath.Glob(filepath.Join(dir, "tkit-plugin-*"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	if info, err := os.Stat(folders[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder is %v, %v", info.Mode(), err)
	}
	sockets, err := filepath.Glob(filepath.Join(folders[0], "plugin-dir*", "*"))
	if err != nil || len(sockets) != 1 {
		t.Fatal(sockets, err)
	}
	if conn, err := net.Dial("unix", sockets[0]); err != nil {
		t.Fatal(err)
	} else if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for name, credentials := range map[string]credentials.TransportCredentials{
		"plain text":       insecure.NewCredentials(),
		"no certificate":   credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
		"some certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{someCertificate(t)}}),
	} {
		conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(credentials))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if d, err := proto.NewPreprocessorClient(conn).Describe(t.Context(), &proto.DescribeRequest{}); err == nil {
			t.Errorf("with %s it answers %v", name, d)
		}
	}
}

// someCertificate returns a certificate unknown to the plugin.
func someCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	config, _, err := host.MutualTLS()
	if err != nil {
		t.Fatal(err)
	}
	return config.Certificates[0]
}

func TestNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for way, c := range ways(host.Config{Processes: 1, Audit: -1}) {
		for _, allowed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, network %t", way, allowed), func(t *testing.T) {
				c.Network = allowed
				p := open(t, built.v1, c)
				_, err := p.Process(t.Context(), doAt("connect", l.Addr().String()), images(1))
				if allowed && err != nil || !allowed && p.Protections().Network && err == nil {
					t.Errorf("connected: %v", err)
				}
			})
		}
	}
}

// ways are the two forms of confinement: in namespaces, and without them if
// users cannot create any.
func ways(c host.Config) map[string]host.Config {
	return map[string]host.Config{"in namespaces": c, "without": host.WithoutNamespaces(c)}
}

// A plugin cannot reach anything outside its sandbox.
func TestBreakingOut(t *testing.T) {
	t.Setenv("SECRET", "of the server's")
	for way, c := range ways(host.Config{Processes: 1, Audit: -1}) {
		t.Run(way, func(t *testing.T) {
			p := open(t, built.v1, c)
			protected := p.Protections()
			t.Logf("%+v", protected)
			expected := map[string]bool{}
			for attempt, kept := range map[string]bool{
				"write to the machine's settings": protected.Files || protected.ReadOnly,
				"write to tkit's score":           protected.Files || protected.Processes,
				"write to its own score":          protected.Files || protected.ReadOnly,
				"read tkit's arguments":           protected.Files || protected.Processes,
				"read tkit's environment":         protected.Files || protected.Processes,
				"list tkit's files":               protected.Files || protected.Processes,
				"see other processes":             protected.Files || protected.Processes,
				"signal tkit":                     protected.Signals,
				"trace tkit":                      protected.Calls || protected.Processes,
				"mount":                           protected.Powers || protected.Calls || protected.Files,
				"set the name of the machine":     protected.Powers || protected.Calls,
				"enter namespaces":                protected.Calls,
				"call past the filter":            protected.Calls,
				"ask for the keys":                protected.Calls,
				"make an undivided socket":        protected.Calls,
				"watch the machine":               protected.Calls,
				"take memory that nobody counts":  protected.Calls,
				"have capabilities":               protected.Powers,
				"dump core":                       true,
			} {
				expected[attempt] = !kept
			}
			_, err := p.Process(t.Context(), doAt("break out", strconv.Itoa(os.Getpid())), images(1))
			if err == nil {
				t.Fatal("it does not tell")
			}
			for attempt, possible := range expected {
				if succeeded := strings.Contains(err.Error(), `"`+attempt+`"`); succeeded && !possible {
					t.Errorf("it can %s", attempt)
				}
			}
			answers(t, p)
		})
	}
}

// All protections that the kernel supports are used.
func TestProtections(t *testing.T) {
	namespaces := exec.Command("/bin/true")
	namespaces.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	_, _, landlock := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	for way, c := range ways(host.Config{Processes: 1, Audit: -1}) {
		got := open(t, built.v1, c).Protections()
		if got.Files != (landlock == 0) || !got.Powers {
			t.Errorf("%s: %+v, Landlock: %v", way, got, landlock)
		}
		if way == "without" && (got.Processes || got.ReadOnly) || way != "without" && namespaces.Run() == nil && !got.ReadOnly {
			t.Errorf("%s: %+v", way, got)
		}
	}
}

// Neither the sockets of daemons in the file system nor abstract ones, of
// streams or datagrams, can be reached.
func TestUnixSockets(t *testing.T) {
	for name, address := range map[string]string{"a path": filepath.Join(t.TempDir(), "socket"), "abstract": fmt.Sprintf("@tkit-test-%d", os.Getpid())} {
		l, err := net.Listen("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for way, c := range ways(host.Config{Processes: 1, Audit: -1}) {
			t.Run(name+" "+way, func(t *testing.T) {
				p := open(t, built.v1, c)
				if _, err := p.Process(t.Context(), doAt("connect unix", address), images(1)); err == nil && p.Protections().Calls {
					t.Error("connected")
				}
			})
		}
	}
}

func TestForksEndWithThePlugin(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	const mark = "98761.5"
	if _, err := p.Process(t.Context(), doAt("fork", mark), images(1)); err != nil {
		t.Fatal(err)
	}
	if len(named(t, mark)) != 1 {
		t.Fatal("it has not forked")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, func() bool { return len(named(t, mark)) == 0 })
}

// TestNoOrphans kills a program that runs a plugin which has forked.
func TestNoOrphans(t *testing.T) {
	needs.Minutes(t)
	const mark = "98762.5"
	if os.Getenv("ORPHANING") != "" {
		p := open(t, built.v1, host.Config{Processes: 2, Audit: -1})
		if _, err := p.Process(t.Context(), doAt("fork", mark), images(1)); err != nil {
			t.Fatal(err)
		}
		for len(p.PIDs()) < 2 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("\nPIDS", p.PIDs())
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestNoOrphans$")
	cmd.Env = append(os.Environ(), "ORPHANING=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) == 0 && lines.Scan(); {
		var a, b int
		if n, _ := fmt.Sscanf(lines.Text(), "PIDS [%d %d]", &a, &b); n == 2 {
			pids = []int{a, b}
		}
	}
	if len(pids) == 0 || len(named(t, mark)) != 1 {
		t.Errorf("the program did not come up: processes %v, forks %v", pids, named(t, mark))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	cmd.Wait()
	for _, pid := range pids {
		gone(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
	gone(t, func() bool { return len(named(t, mark)) == 0 })
}

// named returns the processes with a given argument.
func named(t *testing.T, argument string) (pids []int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), "\x00"+argument+"\x00") {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func gone(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("something is left after 10 s")
			return
		}
	}
}

func TestAnIdleProcessThatEndsIsReplaced(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	for _, pid := range p.PIDs() {
		syscall.Kill(pid, syscall.SIGKILL)
		gone(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
	answers(t, p)
	if s := p.Stats(); s.Retried != 0 {
		t.Error("the batch was sent to a process that had ended")
	}
}

func TestAStoppedProcessIsReplaced(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1, Health: 50 * time.Millisecond, Grace: 200 * time.Millisecond})
	before := p.PIDs()
	for _, pid := range before {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	gone(t, func() bool { now := p.PIDs(); return len(now) == 1 && now[0] != before[0] })
	answers(t, p)
}

func TestUnavailable(t *testing.T) {
	p := open(t, built.v1, host.Config{Processes: 1, Audit: -1})
	for range 3 { // two crashes each
		if _, err := p.Process(t.Context(), do("crash"), images(1)); err == nil {
			t.Error("it has not crashed")
		}
	}
	_, err := p.Process(t.Context(), nil, images(1))
	if !as[*host.UnavailableError](err) || !strings.Contains(err.Error(), "a bug of the author's") {
		t.Errorf("error %v, want that it is left alone", err)
	}
	var _ plugins.Preprocessor = p
}

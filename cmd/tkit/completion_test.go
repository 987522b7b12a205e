package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tkit/internal/needs"
	"tkit/internal/ttytest"
)

// TestShellsComplete types the beginnings of command lines into the real shells,
// with a tab after each, and compares the command that then runs.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]struct {
		args []string
		rc   string
	}{
		"bash": {[]string{"--norc", "--noprofile", "-i"}, "source <(tkit completion bash)\n"},
		"zsh":  {[]string{"-f", "-i"}, "autoload -U compinit; compinit -u -D; source <(tkit completion zsh)\n"},
		"fish": {[]string{"--no-config", "-i"}, "tkit completion fish | source\n"},
	} {
		t.Run(name, func(t *testing.T) {
			shell := needs.Shell(t, name)
			dir := t.TempDir()
			said := pathWithTkit(t, dir, program, registryAt(t))
			typed := openShell(t, dir, shell, start.args...)
			typed(start.rc)
			for beginning, want := range map[string]string{
				"tkit regis\t":                                    "registry",
				"tkit registry sho\t":                             "registry show",
				"tkit registry promote --ali\t":                   "registry promote --alias",
				"tkit registry show flo\t@2":                      "registry show flowers@2",
				"tkit registry show flowers@\t":                   "registry show flowers@",
				"tkit predict --model flowers@1\t x":              "predict --model flowers@1 x",
				"tkit train --architecture lenet5-\t":             "train --architecture lenet5-paper",
				"tkit train --optimiser ad\t":                     "train --optimiser adamw",
				"tkit datasets sample --digits=1 --format sequ\t": "datasets sample --digits=1 --format sequencefile",
				"tkit predict here.p\t":                           "predict here.png", // a file
			} {
				typed(beginning + "\n")
				if got := said(); !strings.HasPrefix(got, want) {
					t.Errorf("%q runs tkit %q, want %q", beginning, got, want)
				}
			}
		})
	}
}

// asTkit is the environment variable with which the tests' program is tkit.
const asTkit = "TKIT_TEST_AS_TKIT"

// pathWithTkit puts a program tkit into a folder bin. It is the given one for
// shells that complete; otherwise it writes its arguments, which said returns.
func pathWithTkit(t *testing.T, dir, program, home string) (said func() string) {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	pipe := filepath.Join(dir, "said")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncase \"$1 $*\" in\n  completion* | *--generate-shell-completion) exec env " + asTkit + "=1 '" + program + "' --home '" + home + "' \"$@\" ;;\nesac\necho \"$*\" >'" + pipe + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "tkit"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "here.png"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	lines := bufio.NewReader(f)
	return func() string {
		t.Helper()
		if err := f.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal("no command ran: ", err)
		}
		return strings.TrimSpace(line)
	}
}

// openShell runs a shell in a terminal until the test ends, and returns a function
// that types.
func openShell(t *testing.T, dir, shell string, args ...string) (typed func(string)) {
	t.Helper()
	screen, tty := ttytest.Open(t, 200, 50)
	cmd := exec.Command(shell, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, tty, tty, tty
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "INPUTRC=/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	displayed := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(screen) // so that the shell can go on
		displayed <- string(text)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		tty.Close()
		screen.Close()
		if text := <-displayed; t.Failed() {
			t.Logf("%s displayed\n%s", shell, text)
		}
	})
	return func(text string) {
		t.Helper()
		if _, err := screen.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
}

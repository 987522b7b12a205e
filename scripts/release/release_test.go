package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// The tests install the artefacts in a bare Debian; `make test-release` makes
// both. They must run as root.
var (
	dist   = flag.String("dist", "", "the artefacts are in `FOLDER`")
	debian = flag.String("debian", "", "the bare Debian is in `FILE`")
)

// largestTarball is the maximum size of the tarball, in bytes.
const largestTarball = 300e6

// A machine is a bare Debian in a folder.
type machine struct{ root string }

// newMachine unpacks the Debian and checks that it is bare.
func newMachine(t *testing.T) machine {
	t.Helper()
	if *debian == "" || *dist == "" {
		t.Fatal("run `make test-release`, which passes -debian and -dist")
	}
	m := machine{t.TempDir()}
	must(t, exec.Command("tar", "-C", m.root, "-xf", *debian))
	m.run(t, "true")
	for _, pattern := range []string{"bin/go", "bin/python3", "bin/cc", "bin/tkit", "lib/*/libstdc++.so*"} {
		if found, err := filepath.Glob(m.root + "/usr/" + pattern); err != nil || len(found) > 0 {
			t.Fatalf("the bare Debian has %q, %v", found, err)
		}
	}
	return m
}

// command returns a command that runs on the machine in its own PID namespace. Its
// processes end with it.
func (m machine) command(ctx context.Context, line ...string) *exec.Cmd {
	return m.commandAs(ctx, "0:0", line...)
}

func (m machine) commandAs(ctx context.Context, user string, line ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc=" + m.root + "/proc",
		"/usr/sbin/chroot", "--userspec=" + user, m.root}, line...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	return cmd
}

func (m machine) try(t *testing.T, line ...string) (string, error) {
	t.Helper()
	out, err := m.command(t.Context(), line...).CombinedOutput()
	return string(out), err
}

func (m machine) run(t *testing.T, line ...string) string {
	t.Helper()
	out, err := m.try(t, line...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", line, err, out)
	}
	return out
}

// give copies a file into the machine's root folder.
func (m machine) give(t *testing.T, file string) (name string) {
	t.Helper()
	name = "/" + filepath.Base(file)
	must(t, exec.Command("cp", "--reflink=auto", file, m.root+name))
	return name
}

func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return string(out)
}

func artefact(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(*dist, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, *dist, found, err)
	}
	return found[0]
}

// The tarball, unpacked and then moved, trains, predicts and serves in a system
// without the C++ runtime.
func TestTarball(t *testing.T) {
	m := newMachine(t)
	file := artefact(t, "*.tar.gz")
	if info, err := os.Stat(file); err != nil || info.Size() > largestTarball {
		t.Errorf("%s: %v bytes, %v; at most %g", file, info.Size(), err, largestTarball)
	}
	name := m.give(t, file)
	began := time.Now()
	m.run(t, "mkdir", "/first")
	m.run(t, "tar", "-xzf", name, "-C", "/first")
	m.run(t, "sh", "-c", "mkdir /opt/moved && mv /first/* /opt/moved/tkit && ln -s /opt/moved/tkit/bin/tkit /usr/local/bin/tkit")
	m.trains(t)
	answer := m.serves(t)
	t.Logf("%.0f s from unpacking to the first answer of the server: %s", time.Since(began).Seconds(), answer)

	if got := runpath(t, m.root+"/opt/moved/tkit/bin/tkit"); got != "$ORIGIN/../lib" {
		t.Errorf("tkit looks for its libraries in %q", got)
	}
	for _, path := range []string{
		"share/man/man1/tkit.1", "share/man/man1/tkit-train.1", "share/bash-completion/completions/tkit", "share/zsh/vendor-completions/_tkit",
		"share/fish/vendor_completions.d/tkit.fish", "share/doc/tkit/LICENSE", "share/doc/tkit/docs/installing.md",
		"share/doc/tkit/licences/libtensorflow/THIRD_PARTY_NOTICES.txt", "share/doc/tkit/licences/go/LICENSE", "share/doc/tkit/licences/gcc-runtime/copyright",
	} {
		if info, err := os.Stat(m.root + "/opt/moved/tkit/" + path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// trains trains on the digits, promotes the version and predicts with it.
func (m machine) trains(t *testing.T) {
	t.Helper()
	t.Log(m.run(t, "tkit", "doctor"))
	m.run(t, "tkit", "datasets", "sample", "/photos")
	m.run(t, "tkit", "train", "--architecture", "lenet5", "--data", "/photos", "--name", "digits", "--epochs", "3", "--promote")
	if out := m.run(t, "sh", "-c", "tkit predict --model digits /photos/7/*0.png"); !strings.Contains(out, " %") {
		t.Errorf("tkit predict prints %s", out)
	}
}

// serves starts a server and returns its response for an image.
func (m machine) serves(t *testing.T) string {
	t.Helper()
	server := m.command(t.Context(), "tkit", "serve", "--http", "127.0.0.1:0", "--grpc", "")
	var report bytes.Buffer
	server.Stderr = &report
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill() // --kill-child also kills its child processes
		server.Wait()
	}()
	var address string
	if _, err := fmt.Fscanf(out, "HTTP %s\n", &address); err != nil {
		t.Fatalf("tkit serve: %v\n%s", err, &report)
	}
	images, err := filepath.Glob(m.root + "/photos/7/*.png")
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	image, err := os.ReadFile(images[0])
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		response, err := http.Post(address+"/v1/models/digits:classify-image", "image/png", bytes.NewReader(image))
		if err != nil {
			t.Fatalf("%v\n%s", err, &report)
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK && err == nil && json.Valid(answer) {
			return string(answer)
		}
		if time.Now().After(deadline) {
			t.Fatalf("status %d: %s, %v\n%s", response.StatusCode, answer, err, &report)
		}
	}
}

func runpath(t *testing.T, binary string) string {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	paths, err := f.DynString(elf.DT_RUNPATH)
	if err != nil {
		t.Fatal(err)
	}
	old, err := f.DynString(elf.DT_RPATH)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(paths, old...), ":")
}

// The Debian package is installed, used, installed again and removed.
func TestDeb(t *testing.T) {
	m := newMachine(t)
	name := m.give(t, artefact(t, "*.deb"))
	if out, err := m.try(t, "dpkg", "--install", name); err == nil {
		t.Errorf("the package is installed without the C++ runtime: %s", out)
	}
	download := exec.Command("apt-get", "download", "--quiet", "libstdc++6")
	download.Dir = t.TempDir()
	must(t, download)
	runtime, err := filepath.Glob(download.Dir + "/*.deb")
	if err != nil || len(runtime) != 1 {
		t.Fatal(runtime, err)
	}
	m.run(t, "dpkg", "--install", m.give(t, runtime[0]), name)
	m.trains(t)
	m.run(t, "dpkg", "--install", name)
	m.run(t, "tkit", "version")
	m.run(t, "dpkg", "--purge", "tkit")
	for _, path := range []string{"/usr/lib/tkit", "/usr/bin/tkit", "/usr/share/doc/tkit", "/usr/share/man/man1/tkit.1"} {
		if _, err := os.Lstat(m.root + path); err == nil {
			t.Errorf("%s is left after the package was removed", path)
		}
	}
	if _, err := os.Stat(m.root + "/root/.tkit"); err != nil {
		t.Errorf("the user's models: %v", err)
	}
}

// The image is read as `docker load` reads it, and its files run without
// anything else, as its user.
func TestImage(t *testing.T) {
	file := artefact(t, "*.image.tar")
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; config.OS != "linux" || config.Architecture != "amd64" || c.User != "65532:65532" || !slices.Contains(c.Env, "TKIT_HOME="+home) {
		t.Errorf("%+v", config)
	}
	m := machine{t.TempDir()}
	unpack := exec.Command("tar", "-C", m.root, "-xf", "-")
	unpack.Stdin = mutate.Extract(image)
	must(t, unpack)
	// A container's engine provides the devices.
	for name, minor := range map[string]string{"null": "3", "zero": "5", "random": "8", "urandom": "9"} {
		must(t, exec.Command("mknod", "--mode=666", m.root+"/dev/"+name, "c", "1", minor))
	}
	if info, err := os.Stat(m.root + "/tmp"); err != nil || info.Mode()&os.ModeSticky == 0 || info.Mode().Perm() != 0o777 {
		t.Errorf("/tmp: %v, %v", info, err)
	}
	for _, line := range [][]string{
		config.Config.Entrypoint,
		{"/usr/bin/tkit", "version"},
		{"/usr/bin/tkit", "datasets", "sample", "--digits", "0,1", home + "/photos"},
		{"/usr/bin/tkit", "train", "--architecture", "lenet5", "--data", home + "/photos", "--name", "digits", "--epochs", "1"},
	} {
		cmd := m.commandAs(t.Context(), config.Config.User, line...)
		cmd.Env = config.Config.Env
		must(t, cmd)
	}
}

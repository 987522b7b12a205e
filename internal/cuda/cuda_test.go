package cuda

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// library is a file that the loader takes for a library of this processor: the
// header of an ELF file.
func library(machine byte) []byte {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = 3, machine, 1 // a shared object
	header[52] = 64
	return header
}

const x8664, arm64 = 62, 183

// install puts files into a machine's folder. Content "" is a library, and "->"
// begins the target of a link.
func install(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, is := strings.CutPrefix(content, "->"); is {
			err = os.Symlink(target, path)
		} else if content == "" {
			err = os.WriteFile(path, library(x8664), 0o600)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func named(t *testing.T, all []Found, name string) Found {
	t.Helper()
	i := slices.IndexFunc(all, func(f Found) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %+v", name, all)
	}
	return all[i]
}

func TestLibraries(t *testing.T) {
	root := t.TempDir()
	install(t, root, map[string]string{
		"/opt/cuda-a/libcudart.so.12":                      "",
		"/usr/lib/x86_64-linux-gnu/libcudart.so.12":        "",
		"/usr/lib/x86_64-linux-gnu/libcuda.so.1":           "",
		"/opt/cuda-a/libcublas.so.12":                      string(library(arm64)),
		"/usr/local/cuda-11.8/lib64/libcublas.so.11":       "",
		"/usr/local/cuda-12.4/lib64/libcufft.so.11":        "",
		"/usr/lib/x86_64-linux-gnu/libcudnn.so.9":          "->libcudnn.so.9.1.0",
		"/usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0":      "",
		"/usr/local/cuda-11.8/lib64/libcusolver.so.10":     "",
		"/elsewhere/libcusparse.so.12":                     "",
		"/etc/ld.so.cache":                                 string(cache(map[string]string{"libcusparse.so.12": "/elsewhere/libcusparse.so.12"})),
		"/usr/lib/x86_64-linux-gnu/libcublasLt.so.12.5.99": "",
	})
	s := NewSearch(root, "/no/library.so", "/opt/cuda-a:/opt/cuda-b")
	all := s.Libraries()
	if len(all) != len(Libraries) {
		t.Fatalf("%d libraries, want %d", len(all), len(Libraries))
	}
	for name, path := range map[string]string{
		"libcudart.so.12": "/opt/cuda-a/libcudart.so.12", "libcuda.so.1": "/usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcusparse.so.12": "/elsewhere/libcusparse.so.12",
	} {
		if f := named(t, all, name); f.Path != path || f.Problem != "" {
			t.Errorf("%s: %+v, want %s", name, f, path)
		}
	}
	for name, problem := range map[string]string{
		"libcublas.so.12":   "/opt/cuda-a/libcublas.so.12 is there, but does not fit",
		"libcublasLt.so.12": "libcublasLt.so.12.5.99 is there, but does not fit",
		"libcufft.so.11":    "it is in /usr/local/cuda-12.4/lib64, which is not searched: add that folder to LD_LIBRARY_PATH",
		"libcusolver.so.11": "/usr/local/cuda-11.8/lib64/libcusolver.so.10 is there, but does not fit: install CUDA 12",
		"libcudnn.so.9":     "it is version 9.1: install cuDNN 9, version 9.3 or later",
	} {
		if f := named(t, all, name); !strings.Contains(f.Problem, problem) {
			t.Errorf("%s: %q, want %q", name, f.Problem, problem)
		}
	}
	where := s.Where()
	if len(where) < 4 || where[0] != "/opt/cuda-a" || where[1] != "/opt/cuda-b" || where[2] != "/etc/ld.so.cache" {
		t.Errorf("searched %q", where)
	}
}

func TestNothingInstalled(t *testing.T) {
	for _, f := range NewSearch(t.TempDir(), "", "").Libraries() {
		if f.Path != "" || !strings.HasPrefix(f.Problem, "missing: install ") {
			t.Errorf("%+v", f)
		}
	}
}

// The path that a library carries is followed from where it is.
func TestOwnPath(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := ownPath(program, "/somewhere"); len(got) > 0 && !filepath.IsAbs(got[0]) {
		t.Errorf("%q", got)
	}
	if got := ownPath(filepath.Join(t.TempDir(), "missing"), "/"); got != nil {
		t.Errorf("a file that is missing has %q", got)
	}
}

// cache is a loader's cache, behind the header of the old format.
func cache(libraries map[string]string) []byte {
	var entries, strings []byte
	base := headerSize + len(libraries)*entrySize
	for name, path := range libraries {
		entry := make([]byte, entrySize)
		binary.LittleEndian.PutUint32(entry, isX8664)
		binary.LittleEndian.PutUint32(entry[4:], uint32(base+len(strings)))
		strings = append(append(strings, name...), 0)
		binary.LittleEndian.PutUint32(entry[8:], uint32(base+len(strings)))
		strings = append(append(strings, path...), 0)
		entries = append(entries, entry...)
	}
	header := make([]byte, headerSize)
	copy(header, cacheMagic)
	binary.LittleEndian.PutUint32(header[len(cacheMagic):], uint32(len(libraries)))
	return append(append(append([]byte("ld.so-1.7.0\x00\x00\x00\x00"), header...), entries...), strings...)
}

// The machine's own cache has the C library.
func TestCache(t *testing.T) {
	text, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Fatal(err)
	}
	if got := parseCache(text)["libc.so.6"]; !strings.HasSuffix(got, "/libc.so.6") {
		t.Errorf("libc.so.6 is %q", got)
	}
	whole := cache(map[string]string{"liba.so.1": "/a/liba.so.1"})
	if got := parseCache(whole); got["liba.so.1"] != "/a/liba.so.1" {
		t.Errorf("%v", got)
	}
	for n := range whole {
		parseCache(whole[:n]) // must not panic
	}
}

func TestHardware(t *testing.T) {
	root := t.TempDir()
	if h := FindHardware(root); len(h.GPUs) > 0 || h.Driver != "" || !strings.Contains(h.DriverProblem(), "no NVIDIA driver") {
		t.Errorf("an empty machine: %+v", h)
	}
	install(t, root, map[string]string{
		"/sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n", "/sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
		"/sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n", "/sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n",
		"/sys/bus/pci/devices/0000:02:00.0/vendor": "0x1a03\n", "/sys/bus/pci/devices/0000:02:00.0/class": "0x030000\n",
	})
	if h := FindHardware(root); !slices.Equal(h.GPUs, []string{"an NVIDIA GPU"}) {
		t.Errorf("a GPU without a driver: %+v", h)
	}
	install(t, root, map[string]string{
		"/proc/driver/nvidia/version":                       "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021\nGCC version: 9.3.0\n",
		"/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H200\nIRQ:   \t\t 11\n",
	})
	h := FindHardware(root)
	if !slices.Equal(h.GPUs, []string{"NVIDIA H200"}) || h.Driver != "470.57.02" || !strings.Contains(h.DriverProblem(), "470.57.02: install") {
		t.Errorf("an old driver: %+v, %s", h, h.DriverProblem())
	}
	for version, problem := range map[string]bool{"525.60.13": false, "525.60": true, "550.90.07": false, "1000.1": false, "525.60.12": true} {
		if got := (Hardware{Driver: version}).DriverProblem() != ""; got != problem {
			t.Errorf("driver %s has a problem: %t", version, got)
		}
	}
}

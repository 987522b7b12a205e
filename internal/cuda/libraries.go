// Package cuda finds what libtensorflow 2.18.0 needs to compute on NVIDIA's
// GPUs: the driver, the GPUs, and the libraries of CUDA and cuDNN, which it
// opens by name when the first session starts.
//
// A libtensorflow that misses a library silently computes on the CPU. This
// package follows the dynamic loader's search, and so can say what is missing
// and where it was searched.
package cuda

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// What libtensorflow 2.18.0 was built with.
const (
	Version      = "12.5"      // of CUDA; any 12.x runs it
	DNNVersion   = "9.3"       // of cuDNN; a later 9.x runs it
	LeastDriver  = "525.60.13" // of the NVIDIA driver for CUDA 12.x
	driver       = "the NVIDIA driver, version " + LeastDriver + " or later"
	toolkit      = "CUDA 12 (built with " + Version + ")"
	deepLearning = "cuDNN 9, version " + DNNVersion + " or later"
)

// A Library is one that libtensorflow opens.
type Library struct {
	Name string `json:"name"` // with the version that fits, such as libcudart.so.12
	Of   string `json:"of"`   // what contains it
}

// Libraries are all that must be there for libtensorflow to use a GPU.
var Libraries = []Library{
	{"libcuda.so.1", driver},
	{"libcudart.so.12", toolkit},
	{"libcublas.so.12", toolkit},
	{"libcublasLt.so.12", toolkit},
	{"libcufft.so.11", toolkit},
	{"libcusolver.so.11", toolkit},
	{"libcusparse.so.12", toolkit},
	{"libcudnn.so.9", deepLearning},
}

// A Found is a library and what the search found.
type Found struct {
	Library
	Path    string `json:"path,omitempty"`    // "" if it is missing
	Problem string `json:"problem,omitempty"` // "" if it can be used
}

// find searches one library as the dynamic loader does.
func (s Search) find(l Library) Found {
	for _, folder := range s.Folders {
		path := filepath.Join(folder, l.Name)
		if s.fits(path) {
			return Found{Library: l, Path: path, Problem: s.tooOld(l, path)}
		}
	}
	if path := s.cached[l.Name]; path != "" && s.fits(path) {
		return Found{Library: l, Path: path, Problem: s.tooOld(l, path)}
	}
	for _, folder := range systemFolders {
		if path := filepath.Join(folder, l.Name); s.fits(path) {
			return Found{Library: l, Path: path, Problem: s.tooOld(l, path)}
		}
	}
	return Found{Library: l, Problem: s.why(l)}
}

// why says why a library was not found: it is in a folder that is not searched,
// only other versions are there, or nothing is.
func (s Search) why(l Library) string {
	stem, _, _ := strings.Cut(l.Name, ".so.")
	var others []string
	for _, pattern := range append(append([]string{}, s.Folders...), append(systemFolders, usualFolders...)...) {
		found, err := filepath.Glob(filepath.Join(s.Root, pattern, stem+".so.*"))
		if err != nil {
			continue // a folder with a bracket in its name
		}
		for _, path := range found {
			path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, s.Root), "/")
			if filepath.Base(path) == l.Name && s.fits(path) {
				return fmt.Sprintf("it is in %s, which is not searched: add that folder to LD_LIBRARY_PATH", filepath.Dir(path))
			}
			others = append(others, path)
		}
	}
	if len(others) > 0 {
		return fmt.Sprintf("missing; %s is there, but does not fit: install %s", others[0], l.Of)
	}
	return "missing: install " + l.Of
}

var versionSuffix = regexp.MustCompile(`\.so\.([0-9]+)\.([0-9]+)`)

// tooOld says what is wrong with the version of a library that was found. cuDNN
// refuses programs that were built with a later minor version.
func (s Search) tooOld(l Library, path string) string {
	if l.Of != deepLearning {
		return ""
	}
	target, err := filepath.EvalSymlinks(filepath.Join(s.Root, path))
	if err != nil {
		return ""
	}
	v := versionSuffix.FindStringSubmatch(filepath.Base(target))
	if v == nil {
		return "" // the file does not tell
	}
	minor, err := strconv.Atoi(v[2])
	if _, least, _ := strings.Cut(DNNVersion, "."); err == nil && minor < atoi(least) {
		return fmt.Sprintf("it is version %s.%s: install %s", v[1], v[2], l.Of)
	}
	return ""
}

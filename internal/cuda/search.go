package cuda

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
)

// systemFolders are searched last; usualFolders are where CUDA is often
// installed, but which are not searched unless they are configured.
var (
	systemFolders = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	usualFolders  = []string{"/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/x86_64-linux/lib", "/opt/cuda*/lib64", "/usr/local/lib"}
)

// A Search finds the libraries that a library opens, in the order of the
// dynamic loader: LD_LIBRARY_PATH, the library's own path, the loader's cache,
// and the system's folders.
type Search struct {
	// Root is the folder in which the machine's files are, "" for the machine
	// itself. Found paths are without it.
	Root string
	// Folders are those before the loader's cache.
	Folders []string

	cached map[string]string // the loader's cache: paths by name
}

// NewSearch prepares the search for what the library in a file opens.
// libraryPath is the value of LD_LIBRARY_PATH.
func NewSearch(root, library, libraryPath string) Search {
	s := Search{Root: root}
	for _, folder := range strings.FieldsFunc(libraryPath, func(r rune) bool { return r == ':' || r == ';' }) {
		s.Folders = append(s.Folders, filepath.Clean(folder))
	}
	s.Folders = append(s.Folders, ownPath(filepath.Join(root, library), filepath.Dir(library))...)
	if cache, err := os.ReadFile(filepath.Join(root, "/etc/ld.so.cache")); err == nil {
		s.cached = parseCache(cache)
	}
	return s
}

// Where describes all places that are searched, in their order.
func (s Search) Where() []string {
	return append(append(append([]string{}, s.Folders...), "/etc/ld.so.cache"), systemFolders...)
}

// Libraries searches everything that libtensorflow needs.
func (s Search) Libraries() []Found {
	all := make([]Found, len(Libraries))
	for i, l := range Libraries {
		all[i] = s.find(l)
	}
	return all
}

// fits reports whether a file is a library for this program: the loader skips
// those for other processors.
func (s Search) fits(path string) bool {
	f, err := elf.Open(filepath.Join(s.Root, path))
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Class == elf.ELFCLASS64 && f.Machine == elf.EM_X86_64
}

// ownPath is the path that a library carries for what it opens.
func ownPath(file, origin string) []string {
	f, err := elf.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	paths, err := f.DynString(elf.DT_RUNPATH)
	if err != nil {
		return nil
	}
	var folders []string
	for _, path := range paths {
		for folder := range strings.SplitSeq(path, ":") {
			folders = append(folders, filepath.Clean(strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(folder)))
		}
	}
	return folders
}

// The format of the loader's cache, from glibc's dl-cache.h: a header with the
// number of libraries, then for each the offsets of its name and path.
const (
	cacheMagic = "glibc-ld.so.cache1.1"
	headerSize = 48
	entrySize  = 24
	isX8664    = 0x0303 // flags of a library for x86-64
)

// parseCache returns the paths of the cache by name, of the first library of
// each name. It returns what it can read of a damaged cache.
func parseCache(cache []byte) map[string]string {
	paths := map[string]string{}
	at := bytes.Index(cache, []byte(cacheMagic))
	if at < 0 || len(cache) < at+headerSize {
		return paths
	}
	cache = cache[at:]
	text := func(offset uint32) string {
		if uint64(offset) >= uint64(len(cache)) {
			return ""
		}
		s, _, _ := bytes.Cut(cache[offset:], []byte{0})
		return string(s)
	}
	n := binary.LittleEndian.Uint32(cache[len(cacheMagic):])
	for i := range int64(n) {
		begin := headerSize + i*entrySize
		if begin+entrySize > int64(len(cache)) {
			break
		}
		e := cache[begin:]
		if binary.LittleEndian.Uint32(e) != isX8664 {
			continue
		}
		name := text(binary.LittleEndian.Uint32(e[4:]))
		if _, known := paths[name]; !known && name != "" {
			paths[name] = text(binary.LittleEndian.Uint32(e[8:]))
		}
	}
	return paths
}

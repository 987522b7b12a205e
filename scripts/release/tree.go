package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// A tree is a set of files by their paths, which are relative and separated by
// slashes.
type tree map[string]file

// A file is an entry of a tree: a link, a folder, or a file whose content is
// in another file or in memory.
type file struct {
	mode   fs.FileMode // permissions and, for a folder, ModeDir
	source string      // the file with the content
	text   []byte      // the content, if there is no source
	link   string      // the target of a symbolic link
	owner  int         // the number of the user and the group
}

func (t tree) add(path, text string)          { t[path] = file{mode: 0o644, text: []byte(text)} }
func (t tree) link(path, target string)       { t[path] = file{mode: 0o777, link: target} }
func (t tree) folder(path string, f file)     { f.mode |= fs.ModeDir; t[path] = f }
func (t tree) copy(path, source string) error { return t.addMode(path, source, 0) }

// addMode adds a file; mode 0 means 0755 for executable content, else 0644.
func (t tree) addMode(path, source string, mode fs.FileMode) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if mode == 0 {
		mode = 0o644
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
	}
	t[path] = file{mode: mode, source: source}
	return nil
}

// below returns the tree moved into a folder.
func (t tree) below(folder string) tree {
	moved := tree{}
	for path, f := range t {
		moved[folder+"/"+path] = f
	}
	return moved
}

// paths returns the paths of the tree and of their parent folders, each folder before
// its content.
func (t tree) paths() []string {
	all := map[string]bool{}
	for name := range t {
		for ; name != "."; name = path.Dir(name) {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// writeTar writes the tree as a tar archive.
func (t tree) writeTar(w io.Writer, when time.Time) error {
	archive := tar.NewWriter(w)
	for _, name := range t.paths() {
		f, known := t[name]
		if !known {
			f.mode = fs.ModeDir | 0o755
		}
		if err := f.writeTar(archive, name, when); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (f file) writeTar(archive *tar.Writer, name string, when time.Time) error {
	h := &tar.Header{Name: name, ModTime: when, Mode: int64(f.mode.Perm()), Uid: f.owner, Gid: f.owner, Format: tar.FormatPAX}
	if f.mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	switch {
	case f.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		return archive.WriteHeader(h)
	case f.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(name, "/")+"/"
		return archive.WriteHeader(h)
	}
	content, size, err := f.open()
	if err != nil {
		return err
	}
	defer content.Close()
	h.Typeflag, h.Size = tar.TypeReg, size
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}

// open returns the content of a regular file and its length.
func (f file) open() (io.ReadCloser, int64, error) {
	if f.source == "" {
		return io.NopCloser(bytes.NewReader(f.text)), int64(len(f.text)), nil
	}
	content, err := os.Open(f.source)
	if err != nil {
		return nil, 0, err
	}
	info, err := content.Stat()
	if err != nil {
		content.Close()
		return nil, 0, err
	}
	return content, info.Size(), nil
}

package manifest

import (
	"cmp"
	"context"
	"net/url"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"tkit/datasets"
	"tkit/datasets/files"
)

// finder looks for files that a list names in another way than the tree does.
type finder struct {
	tree files.Tree
	dir  string // of the list

	mu      sync.Mutex
	folders map[string]*folder // that were listed; nil for those that tell nothing
	names   int                // in them
}

// What is kept of folders that were listed, in names.
const (
	maxNames      = 200_000
	maxFolder     = 100_000
	maxDepth      = 64
	maxListedPath = 4096
)

// folder is what is in one, by folded names. Of two that fold alike there is
// neither.
type folder struct {
	exact  map[string]bool   // true for folders
	folded map[string]string // whole names
	stems  map[string]string // files' names without their endings
}

// find returns the path of the one file that a listed path seems to mean, and
// in what they differ. It is "" where there is none, or no one.
func (f *finder) find(ctx context.Context, listed string) (found, differ string) {
	if len(listed) > maxListedPath {
		return "", ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range readings(listed) {
		elements := strings.FieldsFunc(r.path, func(c rune) bool { return c == '/' })
		for dropped := 0; dropped < min(len(elements), maxDepth); dropped++ {
			why := r.differ
			if dropped > 0 || strings.HasPrefix(r.path, "/") {
				why = append(why[:len(why):len(why)], "the folders before it")
			}
			if found, ok := f.lookUp(ctx, elements[dropped:], &why); ok && found != listed {
				return found, cmp.Or(strings.Join(why, " and "), "slashes without a name between them")
			}
		}
	}
	return "", ""
}

// reading is a way to read a listed path.
type reading struct {
	path   string
	differ []string
}

// readings are the ways to read a listed path, each with every change of those
// before it that changes anything.
func readings(listed string) []reading {
	all := []reading{{listed, nil}}
	for _, change := range []struct {
		differ string
		apply  func(string) string
	}{
		{"blanks or quotes around it", func(p string) string {
			return strings.Trim(strings.TrimSpace(strings.Trim(p, "\u200b\ufeff")), "\"'` ")
		}},
		{"the path separator, which is a backslash in the list and / in the folder", func(p string) string {
			return strings.ReplaceAll(p, `\`, "/")
		}},
		{"escapes of a URL", unescaped},
		{"dots in it", func(p string) string { return path.Clean(p) }},
		{"the encoding of the list", misread},
	} {
		for _, r := range all {
			if changed := change.apply(r.path); changed != r.path && changed != "" {
				all = append(all, reading{changed, append(r.differ[:len(r.differ):len(r.differ)], change.differ)})
			}
		}
	}
	return all
}

func unescaped(p string) string {
	p = strings.TrimPrefix(p, "file://")
	if plain, err := url.PathUnescape(p); err == nil {
		return plain
	}
	return p
}

// misread is UTF-8 that was once read as Windows-1252: Ã© for é.
func misread(p string) string {
	if b, err := charmap.Windows1252.NewEncoder().String(p); err == nil && utf8.ValidString(b) {
		return b
	}
	return p
}

// lookUp follows a path from folder to folder by what its names may mean.
func (f *finder) lookUp(ctx context.Context, elements []string, why *[]string) (found string, ok bool) {
	for i, name := range elements {
		in := f.folder(ctx, found)
		if in == nil {
			return "", false
		}
		last := i == len(elements)-1
		actual, differ := in.name(name, last)
		if actual == "" || in.exact[actual] == last {
			return "", false
		}
		if differ != "" && !strings.Contains(strings.Join(*why, " "), differ) {
			*why = append(*why, differ)
		}
		found = files.Join(found, actual)
	}
	return found, found != ""
}

// name is what is in the folder under a name, or under one that differs from it
// only as told.
func (d *folder) name(listed string, isFile bool) (actual, differ string) {
	if _, ok := d.exact[listed]; ok {
		return listed, ""
	}
	if actual = d.folded[datasets.Folded(listed)]; actual != "" {
		return actual, datasets.Difference(listed, actual)
	}
	if !isFile {
		return "", ""
	}
	if actual = d.stems[datasets.Folded(listed)]; actual != "" {
		return actual, "the ending, which the list leaves out"
	}
	return d.stems[datasets.Folded(stem(listed))], "the ending"
}

func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// folder lists a folder, relative to the list's, once.
func (f *finder) folder(ctx context.Context, at string) *folder {
	if known, ok := f.folders[at]; ok {
		return known
	}
	if f.names > maxNames || f.folders == nil {
		f.folders, f.names = make(map[string]*folder), 0
	}
	in := &folder{exact: make(map[string]bool), folded: make(map[string]string), stems: make(map[string]string)}
	place := at
	if f.dir != "" {
		place = strings.TrimSuffix(files.Join(f.dir, at), "/")
	}
	for info, err := range f.tree.List(ctx, place) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || len(in.exact) == maxFolder {
			in = nil
			break
		}
		in.add(info)
	}
	f.folders[at] = in
	if in != nil {
		f.names += len(in.exact)
	}
	return in
}

func (d *folder) add(info files.Info) {
	name := info.Name()
	d.exact[name] = info.Directory
	once := func(in map[string]string, key string) {
		if _, twice := in[key]; twice {
			in[key] = ""
		} else {
			in[key] = name
		}
	}
	once(d.folded, datasets.Folded(name))
	if !info.Directory {
		once(d.stems, datasets.Folded(stem(name)))
	}
}

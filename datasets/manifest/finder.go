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

// finder looks for files whose names in a list differ from those in the tree.
type finder struct {
	tree files.Tree
	dir  string // of the list

	mu      sync.Mutex
	folders map[string]*folder // folders already listed; nil if listing failed
	names   int                // number of names in them
}

// The number of names kept of listed folders.
const (
	maxNames      = 200_000
	maxFolder     = 100_000
	maxDepth      = 64
	maxListedPath = 4096
)

// folder is the content of a folder, by folded names. Names with equal folded
// forms are omitted.
type folder struct {
	exact  map[string]bool   // true for folders
	folded map[string]string // full names
	stems  map[string]string // file names without extension
}

// find returns the path of the only file that a listed path may mean, and how
// they differ. It returns "" if there is none or several.
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

// reading is an interpretation of a listed path.
type reading struct {
	path   string
	differ []string
}

// readings returns the interpretations of a listed path: every change is
// applied to each of those before it, if it changes anything.
func readings(listed string) []reading {
	all := []reading{{listed, nil}}
	for _, change := range []struct {
		differ string
		apply  func(string) string
	}{
		{"blanks or quotes around it", func(p string) string {
			return strings.Trim(strings.TrimSpace(strings.Trim(p, "\u200b\ufeff")), "\"'` ")
		}},
		{"the path separator, a backslash in the list and / in the folder", func(p string) string {
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

// misread reverses the decoding of UTF-8 as Windows-1252: Ã© to é.
func misread(p string) string {
	if b, err := charmap.Windows1252.NewEncoder().String(p); err == nil && utf8.ValidString(b) {
		return b
	}
	return p
}

// lookUp follows a path from folder to folder by the possible meanings of its
// names.
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

// name returns the entry of the folder with that name, or with one that differs
// from it only as reported.
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
		return actual, "the extension, which the list omits"
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

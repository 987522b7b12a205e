package all

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/manifest"
	"tkit/datasets/shards"
	"tkit/internal/preprocessing"
)

// format returns the requested format, or the one detected from names and first
// bytes.
func (n name) format(ctx context.Context, tree files.Tree, file string) (format, error) {
	wanted := n.options.Get("format")
	for _, f := range formats {
		if f.name == wanted {
			return f, nil
		}
	}
	switch {
	case wanted != "":
		return format{}, fmt.Errorf("unknown format %q: the formats are %s", wanted, known())
	case file != "":
		return ofFile(ctx, tree, file)
	}
	return n.ofFolder(ctx, tree)
}

func known() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// ofFile detects the format of one file: by its first bytes, else by its name.
func ofFile(ctx context.Context, tree files.Tree, file string) (format, error) {
	var byName format
	for _, f := range formats {
		if f.has(file) {
			byName = f
			break
		}
	}
	head, err := readHead(ctx, tree, file)
	if err != nil {
		return format{}, err
	}
	switch f, why := ofHead(file, head); {
	case manifest.Named(file) && why == nil:
		return byName, nil
	case f.name != "":
		return f, nil
	case why != nil:
		return format{}, why
	case byName.name != "":
		return byName, nil
	}
	if isImage(head) {
		return format{}, errors.New("it is one image: give the folder that has a folder per class")
	}
	return format{}, fmt.Errorf("it is a file, and neither its name nor its first bytes tell its format: give it by ?format=, one of %s", known())
}

// ofHead detects the format of a file by its first bytes. If they are of
// another kind that cannot be read, the error says so.
func ofHead(file string, head []byte) (format, error) {
	for _, f := range formats {
		if f.begins != nil && f.begins(head) {
			return f, nil
		}
	}
	return format{}, shards.Packed(file, head)
}

// readHead reads the first bytes of a file. It returns none for a file that
// must not be read: reading it later gives the reason.
func readHead(ctx context.Context, tree files.Tree, file string) ([]byte, error) {
	head, err := shards.Head(ctx, tree, file)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, datasets.ErrRefused) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return head, err
}

func isImage(head []byte) bool {
	format, _, _, _ := preprocessing.Sniff(head) // the error concerns the rest
	return format != ""
}

// How many names of a folder are examined, and how many files are opened.
const (
	enough      = 1000
	enoughFiles = 8
)

// contents is what the names in a folder show.
type contents struct {
	files    []string // the first ones, except those left by the system
	possible []format // formats that match all names
	sides    map[string]bool
	others   bool // whether there are folders that are not sides
}

// ofFolder detects the format of a folder: shards if all names are of shards of
// one format, or if the first files are and there are no folders; otherwise a
// folder per class. If the name of every folder is that of a side of a split,
// including train and another one, the folders are the sides, whatever files
// are next to them.
func (n name) ofFolder(ctx context.Context, tree files.Tree) (format, error) {
	c, err := look(ctx, tree)
	if err != nil {
		return format{}, err
	}
	if len(c.sides) == 0 {
		f, err := c.ofFiles(ctx, tree)
		if err != nil || f.name != "" {
			return f, err
		}
	}
	if c.sides[datasets.Train] && len(c.sides) > 1 && !c.others && !n.options.Has("splits") {
		n.options.Set("splits", "folders")
	}
	return formats[0], nil
}

// look reads the names in the root of a tree.
func look(ctx context.Context, tree files.Tree) (contents, error) {
	c := contents{sides: make(map[string]bool)}
	c.possible = slices.DeleteFunc(slices.Clone(formats), func(f format) bool { return f.named == nil || f.name == manifest.Format })
	seen := 0
	for info, err := range tree.List(ctx, "") {
		if err != nil {
			return c, err
		}
		name := info.Path
		if files.LeftBehind(name) || !info.Directory && shards.Companion(name) {
			continue
		}
		if info.Directory {
			side, ok := datasets.SideNamed(name)
			c.sides[side] = ok
			c.others = c.others || !ok
		} else if info.Refused == nil && len(c.files) < enoughFiles {
			c.files = append(c.files, name)
		}
		c.possible = slices.DeleteFunc(c.possible, func(f format) bool { return info.Directory || !f.has(name) })
		if seen++; seen == enough || len(c.possible) == 0 && c.others {
			break
		}
	}
	if seen == 0 {
		c.possible = nil
	}
	return c, nil
}

// ofFiles detects the format of files without folders: by the first bytes of
// the first conclusive ones, else by their names. It returns none if there are
// images.
func (c contents) ofFiles(ctx context.Context, tree files.Tree) (format, error) {
	for _, file := range c.files {
		head, err := readHead(ctx, tree, file)
		if err != nil {
			return format{}, err
		}
		switch f, why := ofHead(file, head); {
		case f.name != "":
			return f, nil
		case why != nil:
			return format{}, fmt.Errorf("%s: %w", file, why)
		case isImage(head):
			return format{}, nil
		}
	}
	if len(c.possible) > 0 {
		return c.possible[0], nil
	}
	return format{}, nil
}

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

// format is the one that is asked for, or that the names and the first bytes of
// files in the store say.
func (n name) format(ctx context.Context, tree files.Tree, file string) (format, error) {
	wanted := n.options.Get("format")
	for _, f := range formats {
		if f.name == wanted {
			return f, nil
		}
	}
	switch {
	case wanted != "":
		return format{}, fmt.Errorf("the format %q is unknown: there are %s", wanted, known())
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

// ofFile tells the format of one file: by its first bytes, or else by its name.
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
	return format{}, fmt.Errorf("it is a file, and neither its name nor its first bytes tell its format: say it by ?format=, of %s", known())
}

// ofHead tells the format of a file by its first bytes, or what else it is, of
// which nothing can be read as it stands.
func ofHead(file string, head []byte) (format, error) {
	for _, f := range formats {
		if f.begins != nil && f.begins(head) {
			return f, nil
		}
	}
	return format{}, shards.Packed(file, head)
}

// readHead reads the first bytes of a file. Of one that must not be read there
// are none: who reads it later is told why.
func readHead(ctx context.Context, tree files.Tree, file string) ([]byte, error) {
	head, err := shards.Head(ctx, tree, file)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, datasets.ErrRefused) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return head, err
}

func isImage(head []byte) bool {
	format, _, _, _ := preprocessing.Sniff(head) // the error is of the rest
	return format != ""
}

// How many names of a folder tell what it holds, and into how many files is
// looked.
const (
	enough      = 1000
	enoughFiles = 8
)

// contents is what the names in a folder tell.
type contents struct {
	files    []string // the first that are not left behind
	possible []format // of which all names are
	sides    map[string]bool
	others   bool // whether there are folders that stand for no side
}

// ofFolder tells the format of a folder: shards if all names are of shards of one
// format, or if the first files say so and there are no folders; otherwise a
// folder per class. Where the name of every folder stands for a side of a split,
// train and another one among them, the folders are the sides, whatever files
// are beside them.
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

// ofFiles tells the format of files without folders: by the first bytes of the
// first that tell, or else by their names. It is none where images lie there.
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

package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	treefiles "tkit/datasets/files"
)

// Standard is the path that stands for standard input.
const Standard = "-"

// CheckPaths refuses to read standard input more than once.
func CheckPaths(paths []string) error {
	if first := slices.Index(paths, Standard); first >= 0 && slices.Contains(paths[first+1:], Standard) {
		return errors.New("standard input has one image: give - once")
	}
	return nil
}

// Expand replaces folders by the files in them and in their folders, in the order
// of their names. Files that only systems create there, such as .DS_Store, are
// left out; all others are kept, also if they are no images. A path that does not
// exist is kept too, so that its result has the error.
func Expand(ctx context.Context, paths []string) ([]string, error) {
	if err := CheckPaths(paths); err != nil {
		return nil, err
	}
	var all []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == Standard || err != nil || !info.IsDir() {
			all = append(all, path)
			continue
		}
		within, err := inFolder(ctx, path)
		if err != nil {
			return nil, err
		}
		if len(within) == 0 {
			return nil, fmt.Errorf("the folder %s has no files", path)
		}
		all = append(all, within...)
	}
	return all, nil
}

func inFolder(ctx context.Context, folder string) (paths []string, err error) {
	root := folder + string(filepath.Separator) // also of a symbolic link
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err := cmp.Or(ctx.Err(), err); err != nil {
			return err
		}
		switch {
		case path != root && treefiles.LeftBehind(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
		case path == Standard: // a file of this name in the working directory
			paths = append(paths, "./"+path)
		default:
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

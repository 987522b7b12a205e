package predict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	treefiles "tkit/datasets/files"
)

// Standard is the path that stands for standard input.
const Standard = "-"

// Expand replaces folders by the files in them and in their folders, in the order
// of their names. Files that only systems create there, such as .DS_Store, are
// left out; all others are kept, also if they are no images. A path that does not
// exist is kept too, so that its result has the error.
func Expand(paths []string) ([]string, error) {
	var all []string
	standard := false
	for _, path := range paths {
		if path == Standard {
			if standard {
				return nil, errors.New("standard input has one image: give - once")
			}
			standard = true
		}
		info, err := os.Stat(path)
		if path == Standard || err != nil || !info.IsDir() {
			all = append(all, path)
			continue
		}
		within, err := inFolder(path)
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

func inFolder(folder string) (paths []string, err error) {
	root := folder + string(filepath.Separator) // also of a symbolic link
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != root && treefiles.LeftBehind(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir():
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

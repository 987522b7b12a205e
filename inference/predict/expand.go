package predict

import (
	"context"
	"errors"
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

// A File is an image to classify.
type File struct {
	Path string // or Standard
	Err  error  // why it cannot be read, if this is known already
}

// Expand replaces folders by the files in them and in their folders, in the order
// of their names. Files that only systems create there, such as .DS_Store, are
// left out; all others are kept, also if they are no images. A path that does not
// exist is kept too, so that its result has the error. A folder that cannot be read
// or has no files becomes a File with the error. Links to folders within folders are
// not followed, because they can form circles: their paths are returned as skipped.
func Expand(ctx context.Context, paths []string) (all []File, skipped []string, err error) {
	if err := CheckPaths(paths); err != nil {
		return nil, nil, err
	}
	e := &expansion{ctx: ctx}
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == Standard || err != nil || !info.IsDir() {
			e.files = append(e.files, File{Path: path})
			continue
		}
		before := len(e.files)
		e.root = path + string(filepath.Separator) // also of a symbolic link
		if err := filepath.WalkDir(e.root, e.visit); err != nil {
			return nil, nil, err
		}
		if len(e.files) == before {
			e.files = append(e.files, File{path, errors.New("the folder has no files")})
		}
	}
	return e.files, e.skipped, nil
}

// An expansion collects the files of folders.
type expansion struct {
	ctx     context.Context
	root    string
	files   []File
	skipped []string
}

// visit is a [fs.WalkDirFunc].
func (e *expansion) visit(path string, entry fs.DirEntry, err error) error {
	switch {
	case e.ctx.Err() != nil:
		return e.ctx.Err()
	case err != nil: // of reading a folder
		e.files = append(e.files, File{path, err})
		return fs.SkipDir
	case path != e.root && treefiles.LeftBehind(entry.Name()):
		if entry.IsDir() {
			return fs.SkipDir
		}
	case entry.IsDir():
	case linksToFolder(path, entry):
		e.skipped = append(e.skipped, path)
	case path == Standard: // a file of this name in the working directory
		e.files = append(e.files, File{Path: "./" + path})
	default:
		e.files = append(e.files, File{Path: path})
	}
	return nil
}

func linksToFolder(path string, entry fs.DirEntry) bool {
	if entry.Type() != fs.ModeSymlink {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

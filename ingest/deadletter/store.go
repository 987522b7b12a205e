// Package deadletter keeps images that a pipeline could not process, each with the
// cause, the stage that failed and the number of attempts.
package deadletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tkit/internal/durable"
	"tkit/internal/inputfile"
	"tkit/internal/workfolder"
)

// A Letter describes an image that was not processed.
type Letter struct {
	ID     string `json:"id"`
	Source string `json:"source"` // where the image came from, such as its path
	SHA256 string `json:"sha256"` // of the image; "" if the letter has no content
	// File is where the content is, if the letter has none: a file that cannot be read,
	// for example because it is too large. It stays there.
	File  string `json:"file,omitempty"`
	Size  int64  `json:"size"`  // of the image, in bytes
	Stage string `json:"stage"` // that failed
	Cause string `json:"cause"`
	// Attempts is the number of all attempts, also of those before a replay.
	Attempts int       `json:"attempts"`
	Time     time.Time `json:"time"`
	// Metadata is what the input knew about the image.
	Metadata map[string]any `json:"metadata,omitempty"`
}

// Identify sets the letter's SHA256, Size and ID. The same image from the same source has
// the same ID. A letter with a File has no image, and keeps its Size; the same file from
// the same source has the same ID.
func (l *Letter) Identify(image []byte) {
	l.SHA256 = ""
	if l.File == "" {
		sum := sha256.Sum256(image)
		l.SHA256, l.Size = hex.EncodeToString(sum[:]), int64(len(image))
	}
	l.ID = l.identity()
}

// identity is the letter's name.
func (l *Letter) identity() string {
	id := sha256.Sum256([]byte(l.Source + "\x00" + cmp.Or(l.SHA256, l.File)))
	return hex.EncodeToString(id[:16])
}

// A Store keeps letters in a folder: ID.image and ID.json for each, or only ID.json for
// those of files. Its methods may be called concurrently, also by several processes.
type Store struct {
	folder    string
	temporary *workfolder.Folder // files that are being written
}

const (
	imageSuffix  = ".image"
	letterSuffix = ".json"
)

// Open opens the store in a folder and creates the folder, which is private to its
// owner. The caller closes the store.
func Open(folder string) (*Store, error) {
	parent := filepath.Join(folder, ".tkit")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	temporary, err := workfolder.New(parent, "writing-")
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &Store{folder, temporary}, nil
}

// OpenToRead returns the store in a folder for reading only, and creates nothing. It
// need not be closed. A folder that does not exist has no letters.
func OpenToRead(folder string) *Store { return &Store{folder: folder} }

// Close ends the use of the store.
func (s *Store) Close() error { return s.temporary.Close() }

// ErrNotFound is the error of a letter that does not exist.
var ErrNotFound = errors.New("not found")

// idForm is the form of the ID of a letter.
var idForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Find returns the image of a letter by its ID, and the letter. The error wraps
// ErrNotFound if there is none, also because the letter is that of a file.
func (s *Store) Find(ctx context.Context, id string) ([]byte, Letter, error) {
	if !idForm.MatchString(id) {
		return nil, Letter{}, fmt.Errorf("dead letter %.40q: %w", id, ErrNotFound)
	}
	l, err := s.letter(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("dead letter %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, Letter{}, err
	}
	if l.File != "" {
		return nil, l, fmt.Errorf("dead letter %s, whose content is in %s: %w", id, l.File, ErrNotFound)
	}
	image, err := s.Image(ctx, l)
	return image, l, err
}

// Put stores a letter, and its image unless it has a File, and returns when they are on
// disk. It sets what Identify sets. A letter of the same ID is replaced; the new one has
// the attempts of both.
func (s *Store) Put(ctx context.Context, letter Letter, image []byte) error {
	letter.Identify(image)
	if earlier, err := s.letter(ctx, letter.ID); err == nil {
		letter.Attempts += earlier.Attempts
	}
	encoded, err := json.MarshalIndent(letter, "", "  ")
	// A letter exists once its description does.
	if err == nil && letter.File == "" {
		err = durable.ReplaceFile(s.temporary.Path, s.path(letter.ID, imageSuffix), image, 0o600)
	}
	if err == nil {
		err = durable.ReplaceFile(s.temporary.Path, s.path(letter.ID, letterSuffix), append(encoded, '\n'), 0o600)
	}
	if err == nil {
		err = durable.SyncFolder(s.folder)
	}
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

func (s *Store) path(id, suffix string) string { return filepath.Join(s.folder, id+suffix) }

// Image returns the image of a letter. Its SHA-256 is checked. The letter of a file has
// none.
func (s *Store) Image(ctx context.Context, l Letter) ([]byte, error) {
	if l.File != "" {
		return nil, fmt.Errorf("dead letter %s: it has no content, which is in %s", l.ID, l.File)
	}
	image, err := inputfile.Read(ctx, s.path(l.ID, imageSuffix), l.Size)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if sum := sha256.Sum256(image); hex.EncodeToString(sum[:]) != l.SHA256 {
		return nil, fmt.Errorf("dead letter %s: the image is not the one that was stored", l.ID)
	}
	return image, nil
}

// Remove removes a letter that was delivered, unless it was put again since it was
// read.
func (s *Store) Remove(ctx context.Context, l Letter) error {
	now, err := s.letter(ctx, l.ID)
	if err != nil || !now.Time.Equal(l.Time) || now.Attempts != l.Attempts {
		return err
	}
	// Without its description a letter does not exist.
	err = os.Remove(s.path(l.ID, letterSuffix))
	if err == nil && l.File == "" {
		err = os.Remove(s.path(l.ID, imageSuffix))
	}
	if err == nil {
		err = durable.SyncFolder(s.folder)
	}
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// Forget removes the letter of a file that was delivered after all, if there is one.
func (s *Store) Forget(source, file string) error {
	l := Letter{Source: source, File: file}
	err := os.Remove(s.path(l.identity(), letterSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.SyncFolder(s.folder)
	}
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// Letters iterates over the letters in no particular order, and holds only some at a
// time. A letter that cannot be read is an error, after which the others follow.
func (s *Store) Letters(ctx context.Context) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		f, err := os.Open(s.folder)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Letter{}, fmt.Errorf("dead letters: %w", err))
			return
		}
		defer f.Close()
		for {
			entries, err := f.ReadDir(1024)
			for _, e := range entries {
				id, is := strings.CutSuffix(e.Name(), letterSuffix)
				if !is || strings.HasPrefix(id, ".") {
					continue
				}
				if !yield(s.letter(ctx, id)) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Letter{}, fmt.Errorf("dead letters: %w", err))
				return
			}
		}
	}
}

// Replay is Letters without those that are put after its call.
func (s *Store) Replay(ctx context.Context) iter.Seq2[Letter, error] {
	begun := time.Now()
	return func(yield func(Letter, error) bool) {
		for l, err := range s.Letters(ctx) {
			if err == nil && l.Time.After(begun) {
				continue
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func (s *Store) letter(ctx context.Context, id string) (Letter, error) {
	path := s.path(id, letterSuffix)
	encoded, err := inputfile.Read(ctx, path, inputfile.MaxText)
	if err != nil {
		return Letter{}, fmt.Errorf("dead letters: %w", err)
	}
	l, err := parse(encoded)
	if err == nil && l.ID != id {
		err = fmt.Errorf("it is the letter %.40q", l.ID)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("dead letter %s: %w", path, err)
	}
	return l, nil
}

// parse reads a letter's description.
func parse(encoded []byte) (Letter, error) {
	var l Letter
	if err := json.Unmarshal(encoded, &l); err != nil {
		return Letter{}, err
	}
	if l.ID != l.identity() {
		return Letter{}, errors.New("its ID is not that of its source and image")
	}
	if (l.SHA256 == "") != (l.File != "") {
		return Letter{}, errors.New("it needs either the SHA-256 of its image or a file")
	}
	return l, nil
}

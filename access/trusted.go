package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"gopkg.in/yaml.v3"
)

// maxTrusted bounds a file of groups or users, in bytes.
const maxTrusted = 16 << 20

// readTrusted reads a file of groups or users. It refuses a file that anybody but root
// and the given owner can write.
func readTrusted(file string, owner uint32) (_ []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat() // of the open file, since another file may have the name by now
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && !slices.Contains([]uint32{0, owner}, s.Uid) {
		return nil, fmt.Errorf("%s belongs to the user %d, who must not determine identities: chown it to %d or to root", file, s.Uid, owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s may be written by others than its owner: chmod go-w it", file)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxTrusted+1))
	if err == nil && len(raw) > maxTrusted {
		err = fmt.Errorf("%s is longer than %d MB", file, maxTrusted>>20)
	}
	return raw, err
}

// decodeTrusted reads a YAML file of groups or users. It refuses unknown keys and a
// second document: they would be ignored.
func decodeTrusted(raw []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(into); errors.Is(err, io.EOF) {
		return errors.New("it is empty: restore it or remove it")
	} else if err != nil {
		return err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.Join(err, errors.New("it has more than one document: keep one"))
	}
	return nil
}

// ownerOf returns the user ID of the owner of a file or folder.
func ownerOf(path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("the owner of %s cannot be determined", path)
	}
	return s.Uid, nil
}

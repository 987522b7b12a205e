package digits

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tkit/datasets/folder"
	"tkit/datasets/manifest"
	"tkit/datasets/sequencefile"
	"tkit/datasets/tarshards"
	"tkit/datasets/tfrecord"
)

// file is a digit to be written.
type file struct {
	label  string
	number string // its index in the original file, with four digits
	bytes  []byte
}

// manifestName is the file of the manifest format.
const manifestName = "digits.csv"

// writers writes each format, by the format's name in URIs.
var writers = map[string]func(dir string, files []file) error{
	folder.Format:       writeFolder,
	manifest.Format:     writeManifest,
	tarshards.Format:    inOneFile("digits.tar", writeTar),
	tfrecord.Format:     inOneFile("digits.tfrecord", writeTFRecord),
	sequencefile.Format: inOneFile("digits.seq", writeSequenceFile),
}

// Formats lists the formats of Write, in ascending order.
func Formats() []string {
	names := make([]string, 0, len(writers))
	for name := range writers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Write writes the given digits to dir in one of the formats:
//
//	folder        7/0123.png: a folder of PNG files for each digit
//	manifest      digits.csv, which lists images/0123.png and so on
//	tar           digits.tar, with a 0123.png and a 0123.cls for each image
//	tfrecord      digits.tfrecord
//	sequencefile  digits.seq, with keys such as 7/0123.png
//
// The number is the image's index in the original file, counted from 0, so that
// names do not depend on the selection. Existing files of these names are
// replaced, others are kept.
func Write(ctx context.Context, dir string, digits []int, format string) error {
	write, known := writers[format]
	if !known {
		return fmt.Errorf("unknown format %q: the formats are %s", format, strings.Join(Formats(), ", "))
	}
	files, err := encode(digits)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return write(dir, files)
}

// Path returns what to name as the dataset that Write has written to dir: the
// folder or, of a manifest, its file.
func Path(dir, format string) string {
	if format == manifest.Format {
		return filepath.Join(dir, manifestName)
	}
	return dir
}

func encode(digits []int) ([]file, error) {
	for _, d := range digits {
		if d < 0 || d > 9 {
			return nil, fmt.Errorf("%d is not a digit: give some of 0 to 9", d)
		}
	}
	if len(digits) == 0 {
		return nil, fmt.Errorf("no digits given: give some of 0 to 9")
	}
	all, err := Load()
	if err != nil {
		return nil, err
	}
	var files []file
	for i, d := range all {
		if !slices.Contains(digits, d.Label) {
			continue
		}
		b, err := d.PNG()
		if err != nil {
			return nil, fmt.Errorf("digit %d: %w", i, err)
		}
		files = append(files, file{strconv.Itoa(d.Label), fmt.Sprintf("%04d", i), b})
	}
	return files, nil
}

func writeFolder(dir string, files []file) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Join(dir, f.label), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.label, f.number+".png"), f.bytes, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeManifest(dir string, files []file) error {
	if err := os.MkdirAll(filepath.Join(dir, "images"), 0o755); err != nil {
		return err
	}
	rows := [][]string{{"path", "label"}}
	for _, f := range files {
		path := "images/" + f.number + ".png"
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), f.bytes, 0o644); err != nil {
			return err
		}
		rows = append(rows, []string{path, f.label})
	}
	return inOneFile(manifestName, func(w io.Writer, _ []file) error { return csv.NewWriter(w).WriteAll(rows) })(dir, files)
}

// inOneFile turns a function that writes to a writer into one that writes a
// file.
func inOneFile(name string, write func(io.Writer, []file) error) func(dir string, files []file) error {
	return func(dir string, files []file) error {
		var b bytes.Buffer
		if err := write(&b, files); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644)
	}
}

func writeTar(w io.Writer, files []file) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		for _, member := range []struct {
			name  string
			bytes []byte
		}{{f.number + ".png", f.bytes}, {f.number + ".cls", []byte(f.label)}} {
			header := &tar.Header{Typeflag: tar.TypeReg, Name: member.name, Size: int64(len(member.bytes)), Mode: 0o644}
			if err := t.WriteHeader(header); err != nil {
				return err
			}
			if _, err := t.Write(member.bytes); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

func writeTFRecord(w io.Writer, files []file) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, tfrecord.Write(w, tfrecord.Image{Encoded: f.bytes, Label: f.label, Name: f.number + ".png"}))
	}
	return errors.Join(errs...)
}

func writeSequenceFile(w io.Writer, files []file) error {
	entries := make([]sequencefile.Entry, len(files))
	for i, f := range files {
		entries[i] = sequencefile.Entry{Key: f.label + "/" + f.number + ".png", Bytes: f.bytes}
	}
	return sequencefile.Write(w, entries)
}

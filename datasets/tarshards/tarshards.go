// Package tarshards implements the format of plain tar files with images, as
// written by WebDataset: https://github.com/webdataset/webdataset.
//
// Consecutive members with the same name up to the first dot of the last
// element are one sample, as in the webdataset library: 000.cls has the label
// of 000.input.jpg. The label of a sample is
//
//   - the text of the member .cls, a name or a number,
//   - or the field label, class or cls of the member .json,
//   - or the text of the member .txt,
//   - or the member given by Config.Label.
//
// The fields group and split of a member .json are used too. If each image of a
// sample has its own member with its label, with the same name up to the last
// dot, they are separate examples: a.1.cls has the label of a.1.jpg. So are the
// images of a sample without any such member, as in a tar file of a folder per
// class: there the label of an image is the first folder of its path.
//
// Otherwise several images in a sample, and several labels, are refused by
// name. Other members next to an image are not read, which is noted. A member
// without an image that is not an image itself is listed, so that it is
// reported by name. A .cls without an image ends the listing: its image, under
// whatever name, would get the label of its folder. Absolute paths, paths with
// the element .. and links are listed and refused by name.
package tarshards

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"strconv"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/shards"
)

// Format is the name of this format in URIs.
const Format = "tar"

// Config selects the shards, the images and the labels.
type Config struct {
	Shards shards.Config
	// Image is the part after the first dot in the names of the images, such as
	// input.jpg, if a sample has several.
	Image string
	// Label is shards.FirstFolder or shards.Parent, or the part after the first
	// dot in the name of the member with the label, such as target.txt, or the
	// name of a field of the member .json.
	Label string
}

// New returns the source of the tar files in the root of a tree, and closes the
// tree with the source.
func New(tree files.Tree, c Config) *shards.Source {
	options := url.Values{}
	if c.Image != "" {
		options.Set("image", c.Image)
	}
	if c.Label != "" {
		options.Set("label", c.Label)
	}
	c.Shards.Options = options
	return shards.New(tree, format{image: strings.ToLower(c.Image), label: c.Label}, c.Shards)
}

// Named reports whether a file's name is that of a plain tar file.
func Named(name string) bool { return strings.EqualFold(path.Ext(name), ".tar") }

type format struct{ image, label string }

func (format) Name() string           { return Format }
func (format) Named(name string) bool { return Named(name) }

func (format) Begins(head []byte) bool { return Begins(head) }

// Begins reports whether the first bytes of a file are the header of a member:
// its checksum, in which the checksum itself counts as blanks, must match.
func Begins(head []byte) bool {
	const at, end = 148, 156
	if len(head) < 512 {
		return false
	}
	sum := int64((end - at) * ' ')
	for i, b := range head[:512] {
		if i < at || i >= end {
			sum += int64(b)
		}
	}
	told, err := strconv.ParseInt(strings.Trim(string(head[at:end]), " \x00"), 8, 32)
	return err == nil && told == sum
}

// folders reports whether the label comes from the path alone, and from which
// part.
func (f format) folders() (part shards.PathLabel, only bool) {
	switch part := shards.PathLabel(f.label); part {
	case shards.FirstFolder, shards.Parent:
		return part, true
	}
	return shards.FirstFolder, false
}

// Reading describes how labels are derived.
func (f format) Reading() datasets.Reading {
	r := datasets.Reading{
		Labels:  "the members .cls, .json or .txt beside the images, or else their first folders",
		Deeper:  "add the option label=parent",
		Further: "if those are the classes, add the option label=parent",
	}
	switch part, only := f.folders(); {
	case only && part == shards.Parent:
		r.Labels, r.Further = "the last folders of the images", ""
	case only:
		r.Labels = "the first folders of the images"
	case f.label != "":
		r.Labels = fmt.Sprintf("%q in the samples", f.label)
	}
	return r
}

// Members are stored uncompressed.
func (format) Unpack(stored []byte, _ shards.Place) ([]byte, error) { return stored, nil }
func (format) Image(record []byte) ([]byte, error)                  { return record, nil }

// Scan lists the samples.
func (f format) Scan(r *shards.Reader) iter.Seq2[shards.Record, error] {
	return func(yield func(shards.Record, error) bool) {
		s := scan{format: f, r: r, yield: yield}
		if err := s.members(); err != nil && !errors.Is(err, errStopped) {
			yield(shards.Record{}, err)
		}
	}
}

var errStopped = errors.New("stopped")

// scan is the state of reading a tar file.
type scan struct {
	format format
	r      *shards.Reader
	yield  func(shards.Record, error) bool
	labels shards.Labels
	sample []member
	key    string // of the sample
	// apart is the key of a sample that is too long to be one: its members form
	// samples by their names up to the last dot.
	apart string
}

func (s *scan) members() error {
	t := tar.NewReader(seeker{s.r})
	end := int64(0) // of the last member
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.damaged(err)
		}
		if end = s.r.Offset(); h.Typeflag == tar.TypeReg && !sparse(h) {
			if h.Size > s.r.Left() {
				return s.r.Truncated(fmt.Sprintf("the member %q", h.Name))
			}
			end += (h.Size + 511) / 512 * 512
		}
		if err := s.member(t, h); err != nil {
			return err
		}
	}
	if s.r.Offset() < end+512 {
		return s.r.Truncated("the members: the block of zeros that ends a tar file is missing")
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.padding()
}

// damaged returns the error of a tar file that package tar cannot continue to
// read.
func (s *scan) damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return s.r.Truncated("a member")
	}
	if errors.Is(err, tar.ErrHeader) {
		return s.r.Errorf(max(0, s.r.Offset()-512), "%w: the file is damaged or not a tar file", err)
	}
	return s.r.Errorf(s.r.Offset(), "%w", err)
}

// padding checks that only zeros follow the end: anything else, such as another
// tar file, would be silently omitted.
func (s *scan) padding() error {
	b := make([]byte, 4096)
	for s.r.Left() > 0 {
		n, err := s.r.Read(b)
		if err != nil {
			return err
		}
		for i, c := range b[:n] {
			if c != 0 {
				return s.r.Errorf(s.r.Offset()-int64(n-i), "there are bytes after the end of the archive, as in concatenated tar files: keep them separate")
			}
		}
	}
	return nil
}

// seeker lets package tar skip members without reading them.
type seeker struct{ *shards.Reader }

func (s seeker) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errors.New("only forward from here")
	}
	if offset > s.Left() {
		return 0, io.ErrUnexpectedEOF
	}
	return s.Offset() + offset, s.Skip(offset)
}

// member processes the next member.
func (s *scan) member(t *tar.Reader, h *tar.Header) error {
	name := strings.TrimPrefix(h.Name, "./")
	if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader || leftBehind(name) {
		return nil
	}
	if why := refused(name, h); why != nil {
		if err := s.flush(); err != nil {
			return err
		}
		label, _ := shards.FirstFolder.Of(name)
		return s.emit(shards.Record{Member: name, Label: label, Refused: why})
	}
	m := member{name: name, place: shards.Place{Offset: s.r.Offset(), Length: h.Size}}
	m.is = s.format.roleOf(m)
	if err := s.begin(m); err != nil {
		return err
	}
	if m.is > image {
		if h.Size > maxText {
			return s.r.Errorf(m.place.Offset, "the member %q has %d bytes: a label has at most %d", name, h.Size, maxText)
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return s.damaged(err)
		}
		if m.told, err = s.format.parse(m, b); err != nil {
			return s.r.Errorf(m.place.Offset, "the member %q: %w", name, err)
		}
	}
	s.sample = append(s.sample, m)
	return nil
}

// refused returns why a member must not be read.
func refused(name string, h *tar.Header) error {
	switch {
	case h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink:
		return fmt.Errorf("it is a link to %q: pack the file itself", h.Linkname)
	case sparse(h):
		return errors.New("it is a sparse file: pack it without holes")
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("its type is %q, not a file", h.Typeflag)
	}
	return files.CheckPath(name)
}

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func leftBehind(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if element != ".." && element != "." && files.LeftBehind(element) {
			return true
		}
	}
	return false
}

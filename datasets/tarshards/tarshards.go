// Package tarshards is the format of plain tar files with images in them, as
// WebDataset writes them: https://github.com/webdataset/webdataset.
//
// Members that stand one after another and have one name up to the first dot of
// its last element are one sample, as the webdataset library has it: 000.cls
// tells the label of 000.input.jpg. The label of a sample is
//
//   - the text of the member .cls, a name or a number,
//   - or the field label, class or cls of the member .json,
//   - or the text of the member .txt,
//   - or what Config.Label names.
//
// The fields group and split of a member .json are taken too. Where each image
// of a sample has a member of its own that tells its label, with the same name
// up to the last dot, they are apart: a.1.cls tells the label of a.1.jpg. So are
// the images of a sample without any such member, as in a tar file of a folder
// per class: an image there has the first folder of its path as label.
//
// Several images in a sample otherwise, and several labels, are refused by name.
// Other members beside an image are not read, which is noted; one that stands
// alone and is no image is listed, so that it is reported by name. A .cls that
// stands alone ends the listing: its image, by whatever other name, would be
// taken to have the label of its folder. Absolute paths, paths with the element
// .. and links are listed and refused by name.
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

// Config says which shards are meant and where images and labels are.
type Config struct {
	Shards shards.Config
	// Image is what follows the first dot in the names of the images, such as
	// input.jpg, where a sample has several.
	Image string
	// Label is shards.FirstFolder or shards.Parent, or what follows the first
	// dot in the name of the member that is the label, such as target.txt, or
	// the name of a field of the member .json.
	Label string
}

// New returns the source of the tar files in the root of a tree, which it
// closes when it is closed.
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

// Named says whether a file's name is that of a plain tar file.
func Named(name string) bool { return strings.EqualFold(path.Ext(name), ".tar") }

type format struct{ image, label string }

func (format) Name() string           { return Format }
func (format) Named(name string) bool { return Named(name) }

func (format) Begins(head []byte) bool { return Begins(head) }

// Begins says whether the first bytes of a file are the header of a member: its
// sum says so, in which the sum itself counts as blanks.
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

// folders says whether the label is from the path alone, and which part of it.
func (f format) folders() (part shards.PathLabel, only bool) {
	switch part := shards.PathLabel(f.label); part {
	case shards.FirstFolder, shards.Parent:
		return part, true
	}
	return shards.FirstFolder, false
}

// Reading says how labels are read.
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

// Members stand in the file as they are.
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

// scan is one pass over a tar file.
type scan struct {
	format format
	r      *shards.Reader
	yield  func(shards.Record, error) bool
	labels shards.Labels
	sample []member
	key    string // of the sample
	// apart is the key of a sample that is too long to be one: its members are
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

// damaged is the error of a tar file that package tar cannot read on.
func (s *scan) damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return s.r.Truncated("a member")
	}
	if errors.Is(err, tar.ErrHeader) {
		return s.r.Errorf(max(0, s.r.Offset()-512), "%w: the file is damaged or no tar file", err)
	}
	return s.r.Errorf(s.r.Offset(), "%w", err)
}

// padding makes sure that nothing but zeros follows the end: what stands
// there, such as another tar file, would be left out without a word.
func (s *scan) padding() error {
	b := make([]byte, 4096)
	for s.r.Left() > 0 {
		n, err := s.r.Read(b)
		if err != nil {
			return err
		}
		for i, c := range b[:n] {
			if c != 0 {
				return s.r.Errorf(s.r.Offset()-int64(n-i), "there are bytes after the end of the archive, as where tar files were put together: keep them apart")
			}
		}
	}
	return nil
}

// seeker lets package tar pass over members without reading them.
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

// member takes the next member.
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
			return s.r.Errorf(m.place.Offset, "the member %q has %d bytes: more than %d tell no label", name, h.Size, maxText)
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

// refused is why a member must not be read.
func refused(name string, h *tar.Header) error {
	switch {
	case h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink:
		return fmt.Errorf("it is a link to %q: pack the file itself", h.Linkname)
	case sparse(h):
		return errors.New("it is a sparse file: pack it without holes")
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("it is of the type %q and not a file", h.Typeflag)
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

// Package tarshards is the format of plain tar files with images in them, as
// WebDataset writes them: https://github.com/webdataset/webdataset.
//
// Members that stand one after another and differ only in what follows the
// last dot are one sample: an image and what tells its label, which is
//
//   - the text of the member .cls, a name or a number,
//   - or the field label, class or cls of the member .json, whose fields group
//     and split are taken too,
//   - or the text of the member .txt.
//
// An image without such a member has the first folder of its path as label.
// Other members of a sample are passed over; one that stands alone and is no
// image is listed, so that it is reported by name. A .cls that stands alone ends
// the listing: its image, by whatever other name, would be taken to have the
// label of its folder. Absolute paths, paths with the element .. and links are
// listed and refused by name.
package tarshards

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"tkit/datasets/files"
	"tkit/datasets/shards"
)

// Format is the name of this format in URIs.
const Format = "tar"

// New returns the source of the tar files in the root of a tree, which it
// closes when it is closed.
func New(tree files.Tree, c shards.Config) *shards.Source { return shards.New(tree, format{}, c) }

// Named says whether a file's name is that of a plain tar file.
func Named(name string) bool { return strings.EqualFold(path.Ext(name), ".tar") }

type format struct{}

func (format) Name() string           { return Format }
func (format) Named(name string) bool { return Named(name) }

// Labels says where labels are from.
func (format) Labels() string {
	return "the members .cls, .json or .txt beside the images, or else their first folders"
}

// Members stand in the file as they are.
func (format) Unpack(stored []byte, _ shards.Place) ([]byte, error) { return stored, nil }
func (format) Image(record []byte) ([]byte, error)                  { return record, nil }

// Scan lists the samples.
func (format) Scan(r *shards.Reader) iter.Seq2[shards.Record, error] {
	return func(yield func(shards.Record, error) bool) {
		s := scan{r: r, yield: yield}
		if err := s.members(); err != nil && !errors.Is(err, errStopped) {
			yield(shards.Record{}, err)
		}
	}
}

var errStopped = errors.New("stopped")

// scan is one pass over a tar file.
type scan struct {
	r      *shards.Reader
	yield  func(shards.Record, error) bool
	key    string // of the sample: its members' path up to the last dot
	sample []member
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
		return s.r.Errorf(max(0, s.r.Offset()-512), "%w: the file is damaged, or compressed: unpack it first", err)
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
		return s.emit(shards.Record{Member: name, Label: folderOf(name), Refused: why})
	}
	key := strings.TrimSuffix(name, path.Ext(name))
	if len(s.sample) > 0 && key != s.key {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.key = key
	m := member{name: name, is: roleOf(name), place: shards.Place{Offset: s.r.Offset(), Length: h.Size}}
	if m.is > image {
		if h.Size > maxText {
			return s.r.Errorf(m.place.Offset, "the member %q has %d bytes: more than %d tell no label", name, h.Size, maxText)
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return s.damaged(err)
		}
		if m.labels, err = m.is.parse(b); err != nil {
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

func folderOf(name string) string {
	folder, _, within := strings.Cut(name, "/")
	if !within {
		return ""
	}
	return folder
}

// flush yields the sample that is over: its images, or all of it where there
// is none.
func (s *scan) flush() error {
	sample := s.sample
	s.sample = s.sample[:0]
	var told *labels
	from, images := other, 0
	for i := range sample {
		m := &sample[i]
		if m.is == image {
			images++
		} else if m.is > image && (told == nil || m.is < from) {
			told, from = &m.labels, m.is
		}
	}
	if images == 0 && from == class {
		return s.r.Errorf(sample[0].place.Offset, "the member %q tells the label of no image: an image has the same name up to the last dot and stands beside it", sample[0].name)
	}
	for _, m := range sample {
		if images > 0 && m.is != image {
			continue
		}
		r := shards.Record{Member: m.name, Label: folderOf(m.name), Place: m.place}
		if told != nil && images > 0 {
			r.Label, r.Group, r.Split = told.label, told.group, told.split
		}
		if images > 1 {
			r.Refused = fmt.Errorf("it is one of %d images of one sample: give each its name", images)
		}
		if err := s.emit(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) emit(r shards.Record) error {
	if !s.yield(r, nil) {
		return errStopped
	}
	return nil
}

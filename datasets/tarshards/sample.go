package tarshards

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tkit/datasets"
	"tkit/datasets/shards"
)

// maxSample bounds the members of one sample.
const maxSample = 256

// begin ends the sample if the member begins another one.
func (s *scan) begin(m member) error {
	key, _ := m.parts()
	if key == s.apart {
		key = m.stem()
	} else {
		s.apart = ""
	}
	if len(s.sample) > 0 && key != s.key {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.key = key
	if len(s.sample) >= maxSample {
		return s.part(m)
	}
	return nil
}

// part splits a sample that is too long by the names up to the last dot. It
// keeps what may belong to the same sample as the next member.
func (s *scan) part(next member) error {
	first, _ := next.parts()
	last := s.sample[len(s.sample)-1].stem()
	isLast := func(m member) bool { return m.stem() == last }
	begin := len(s.sample)
	for begin > 0 && isLast(s.sample[begin-1]) {
		begin--
	}
	rest := slices.Clone(s.sample[begin:])
	s.sample = s.sample[:begin]
	if begin == 0 || slices.ContainsFunc(s.sample, isLast) || !paired(s.sample) {
		return s.r.Errorf(next.place.Offset, "more than %d members have the name %q up to the first dot: they would be one sample", maxSample, first)
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.sample, s.apart, s.key = append(s.sample, rest...), first, last
	if next.stem() != last {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.key = next.stem()
	return nil
}

// paired reports whether the images of a sample are independent: no member has
// a label, or each image has its own label and each label its image.
func paired(sample []member) bool {
	images, told := make(map[string]bool), make(map[string]bool)
	for _, m := range sample {
		if m.is == image {
			images[m.stem()] = true
		} else if m.is > image {
			told[m.stem()] = true
		}
	}
	if len(told) == 0 {
		return true
	}
	for stem := range images {
		if !told[stem] {
			return false
		}
	}
	return len(told) == len(images)
}

// flush yields the completed sample: its images, or all members if there is
// none.
func (s *scan) flush() error {
	sample := s.sample
	s.sample = s.sample[:0]
	var images []member
	for _, m := range sample {
		if m.is == image {
			images = append(images, m)
		}
	}
	if len(images) == 0 {
		return s.flushWithoutImage(sample)
	}
	apart := len(images) > 1 && paired(sample)
	for i, m := range images {
		r := shards.Record{Member: m.name, Place: m.place}
		own := sample
		if apart {
			own = ownOf(m, sample, images, i == 0)
			r.Note = alone(m, sample)
		}
		if err := s.tell(&r, own); err != nil {
			return s.r.Errorf(m.place.Offset, "the member %q: %w", m.name, err)
		}
		if err := s.emit(r); err != nil {
			return err
		}
	}
	return nil
}

// ownOf returns the members of a sample with the same name as an image up to
// the last dot, and with others also the members without such an image.
func ownOf(m member, sample, images []member, others bool) (own []member) {
	for _, o := range sample {
		lost := !slices.ContainsFunc(images, func(i member) bool { return i.stem() == o.stem() })
		if o.stem() == m.stem() || others && lost {
			own = append(own, o)
		}
	}
	return own
}

// alone returns the note for an image separated from others with the same name
// up to the first dot, because no member has their label.
func alone(m member, sample []member) string {
	key, extension := m.parts()
	if key != m.stem() || slices.ContainsFunc(sample, func(o member) bool { return o.is > image }) {
		return ""
	}
	return fmt.Sprintf("there are images with the same name up to the first dot, such as .%s and .%s: without a member with their label, each is a separate example; the option image=%[1]s selects only those",
		extension, another(m, sample))
}

// another returns the extension of another image of a sample.
func another(m member, sample []member) string {
	for _, o := range sample {
		if o.is == image && o.name != m.name {
			return shards.Short(o.extension())
		}
	}
	return ""
}

func (s *scan) flushWithoutImage(sample []member) error {
	for _, m := range sample {
		if m.is == class {
			return s.r.Errorf(m.place.Offset, "the member %q has the label of no image: an image must be next to it, with the same name up to the first dot", m.name)
		}
	}
	for _, m := range sample {
		r := shards.Record{Member: m.name, Place: m.place}
		part, _ := s.format.folders()
		r.Label, r.Note = part.Of(m.name)
		if s.format.image != "" {
			r.Refused = fmt.Errorf("it is neither a member .%s, given by the option image, nor next to one", s.format.image)
		}
		if err := s.emit(r); err != nil {
			return err
		}
	}
	return nil
}

// tell sets the label, the group and the side of the only image of a sample.
func (s *scan) tell(r *shards.Record, sample []member) error {
	var images, unread []string
	for _, m := range sample {
		switch m.is {
		case image:
			images = append(images, m.extension())
		case other:
			unread = append(unread, "."+shards.Short(m.extension()))
		}
	}
	if len(unread) > 0 && r.Note == "" {
		r.Note = fmt.Sprintf("other members next to the images are not read: %s", some(unread))
	}
	if err := s.label(r, sample); err != nil {
		return err
	}
	if err := takeSides(r, sample); err != nil {
		return err
	}
	if len(images) > 1 {
		r.Refused = fmt.Errorf("it is one of %d images of one sample, .%s: give them different names, or choose one with the option image=%s", len(images), some(images), shards.Short(images[0]))
	}
	return nil
}

// label derives the label from the members of the first role with one, or from
// the path.
func (s *scan) label(r *shards.Record, sample []member) error {
	part, only := s.format.folders()
	var telling []member
	for _, m := range sample {
		if m.is <= image || !s.format.wants(m) {
			continue
		}
		if len(telling) > 0 && m.is < telling[0].is {
			telling = telling[:0]
		}
		if len(telling) == 0 || m.is == telling[0].is {
			telling = append(telling, m)
		}
	}
	switch {
	case only || len(telling) == 0 && s.format.label == "":
		var note string
		r.Label, note = part.Of(r.Member)
		if note != "" {
			r.Note = note
		}
	case len(telling) > 1:
		var names []string
		for _, m := range telling {
			names = append(names, m.extension())
		}
		r.Refused = fmt.Errorf("%d members of its sample have a label, .%s: choose one with the option label=%s", len(telling), some(names), shards.Short(names[0]))
	case len(telling) == 1 && telling[0].told.refused != nil:
		r.Refused = telling[0].told.refused
	case len(telling) == 1:
		note := r.Note
		if err := s.labels.Read(r, telling[0].told.what, telling[0].told.values); err != nil {
			return err
		}
		if r.Note == "" {
			r.Note = note
		}
	}
	if r.Label == "" && r.Unlabelled == "" {
		r.Unlabelled = s.format.unlabelled(sample)
	}
	return nil
}

// wants reports whether a member may have the label: any member, or the one
// that an option selects by its extension or a field.
func (f format) wants(m member) bool {
	if f.label == "" || m.extension() == strings.ToLower(f.label) {
		return true
	}
	_, found := m.told.fields[f.label]
	return found
}

// unlabelled describes a sample without a label, with the remedy.
func (f format) unlabelled(sample []member) string {
	var names []string
	fields := make(shards.Fields)
	member := "" // may be the label
	for _, m := range sample {
		names = append(names, "."+shards.Short(m.extension()))
		for name, v := range m.told.fields {
			fields[name] = v
		}
		if m.is != image && m.is != object && member == "" {
			member = shards.Short(m.extension())
		}
	}
	switch {
	case len(fields) > 0:
		return fmt.Sprintf("its sample has %s, but no label in the fields %s: choose one with the option label=%s, or label=folder for the folder", some(names), fields, fields.Label())
	case member != "":
		return fmt.Sprintf("its sample has %s, but none of them has a label: choose one with the option label=%s", some(names), member)
	}
	return "it is not in a folder, and no member .cls, .json or .txt next to it has its label"
}

// takeSides sets the group and the side of a split from the members that have
// them.
func takeSides(r *shards.Record, sample []member) error {
	for _, m := range sample {
		if m.told.wrong != nil {
			r.Refused = m.told.wrong
			return nil
		}
		for _, side := range []struct {
			name   string
			values shards.Values
			into   *string
		}{{"group", m.told.group, &r.Group}, {"split", m.told.split, &r.Split}} {
			if side.values.Empty() {
				continue
			}
			one, err := side.values.One()
			if err == nil && *side.into != "" && *side.into != one {
				err = errors.New("its sample also has a different one")
			}
			if err != nil {
				r.Refused = fmt.Errorf("the field %q of its member .%s: %w", side.name, shards.Short(m.extension()), err)
				return nil
			}
			*side.into = one
		}
	}
	if r.Split == "" {
		return nil
	}
	split, ok := datasets.ParseSplit(r.Split)
	if !ok {
		return fmt.Errorf("its field \"split\" is %q: want train, validation or test", r.Split)
	}
	r.Split = split
	return nil
}

// some joins the first names.
func some(names []string) string {
	const shown = 6
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

func (s *scan) emit(r shards.Record) error {
	if !s.yield(r, nil) {
		return errStopped
	}
	return nil
}

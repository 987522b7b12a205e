package datasets

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fractions sets how to split. Either Validation and Test are the fractions of
// the images for these sides, and the rest is for training; or TrainPerClass is
// set and both are zero.
type Fractions struct {
	Validation float64
	Test       float64
	// TrainPerClass takes this many different images of each class for training
	// and all others for testing.
	TrainPerClass int
	// Seed selects a different split with the same fractions.
	Seed uint64
	// Together keeps near duplicates on one side. Only Report.Divide supports
	// it.
	Together bool
}

// Split is a partition of the indices of a snapshot's entries by use, each list
// in ascending order.
type Split struct {
	Train, Validation, Test []int
}

// Split divides the snapshot by the content of its images, class by class.
//
// The rule: the place of an image is a number in [0, 1) made from the first
// bytes of SHA-256(seed, SHA-256 of the image). Images below Test are the test
// side, those below Test + Validation the validation side, the others the
// training side. A place depends only on the image and the seed, so identical
// images share a side, and adding, removing, renaming or relabelling images
// never moves another one. The fractions hold in expectation.
//
// The one exception is a class so small that a side would get none of it: the
// images of the class are sorted by their places, and the border between two
// sides moves just so far that each used side has one image. The images that it
// passes can move back when the class grows. A class with fewer different
// images than sides is an error that names the class.
//
// With TrainPerClass the last images of the class in that order are for
// training, with their duplicates; an added image can replace one of them. At
// least one image must be left for the test.
//
// If entries have groups, the images of a group share a place, made from the
// group's name, and so a side; groups that share an image count as one. Images
// that the snapshot fixes to a side are there, with their group and their
// copies; if that is contradictory, the error names them. A side with fixed
// images has no others: its fraction is ignored. If none is fixed to
// validation, Validation of the others is taken for it, including those fixed
// to train: validation is a part of training. If a side would get no image of a
// class, it gets the unit with images of the class whose place is nearest, if
// one can be spared. TrainPerClass is an error.
func (s *Snapshot) Split(f Fractions) (Split, error) {
	if f.Together {
		return Split{}, errors.New("a snapshot alone cannot keep near duplicates together: use Report.Divide")
	}
	return s.divide(f, nil)
}

// divide is Split with the entries of each of links on one side.
func (s *Snapshot) divide(f Fractions, links [][]int32) (Split, error) {
	if err := f.Validate(); err != nil {
		return Split{}, err
	}
	switch labels := s.Labels(); len(labels) {
	case 0:
		return Split{}, fmt.Errorf("split of %s: %w", s.URI, ErrNoExamples)
	case 1:
		return Split{}, fmt.Errorf("split of %s: every image has the label %q: a classifier needs at least two classes", s.URI, labels[0])
	}
	if len(links) > 0 || versionOf(s.Entries) == versionGroups {
		split, err := s.splitGroups(f, links)
		if err != nil {
			return Split{}, fmt.Errorf("split of %s: %w", s.URI, err)
		}
		return split, nil
	}
	classes := s.places(f.Seed)
	var split Split
	var short []string
	for _, c := range classes {
		if need := f.need(); c.distinct() < need {
			short = append(short, fmt.Sprintf("%q has %s", c.label, plural(c.distinct(), "different image")))
			continue
		}
		test, validation := f.borders(c)
		for _, p := range c.images {
			switch {
			case p.rank < test:
				split.Test = append(split.Test, p.index)
			case p.rank < validation:
				split.Validation = append(split.Validation, p.index)
			default:
				split.Train = append(split.Train, p.index)
			}
		}
	}
	if len(short) > 0 {
		return Split{}, fmt.Errorf("split of %s: %s, but each class needs %d (%s): add images, remove the class, or change the fractions",
			s.URI, some(short, 5), f.need(), f.why())
	}
	for _, side := range [][]int{split.Train, split.Validation, split.Test} {
		slices.Sort(side)
	}
	return split, nil
}

// Validate refuses fractions that leave nothing for training.
func (f Fractions) Validate() error {
	switch {
	case !(f.Validation >= 0 && f.Test >= 0 && f.Validation+f.Test < 1):
		return fmt.Errorf("fractions of %v for validation and %v for test: neither may be negative, and together they must leave something for training", f.Validation, f.Test)
	case f.TrainPerClass < 0:
		return fmt.Errorf("%d training images per class: it must not be negative", f.TrainPerClass)
	case f.TrainPerClass > 0 && f.Validation+f.Test > 0:
		return errors.New("a number of training images per class leaves all others for the test: it cannot be combined with fractions")
	}
	return nil
}

// need returns how many different images a class must have.
func (f Fractions) need() int {
	if f.TrainPerClass > 0 {
		return f.TrainPerClass + 1
	}
	n := 1
	if f.Validation > 0 {
		n++
	}
	if f.Test > 0 {
		n++
	}
	return n
}

func (f Fractions) why() string {
	if f.TrainPerClass > 0 {
		return fmt.Sprintf("%d to train, at least 1 to test", f.TrainPerClass)
	}
	sides := []string{"train"}
	if f.Validation > 0 {
		sides = append(sides, "validate")
	}
	if f.Test > 0 {
		sides = append(sides, "test")
	}
	return "one each to " + strings.Join(sides, ", ")
}

// borders returns the ranks in a class at which the test side and the
// validation side end. Each used side gets at least one rank.
func (f Fractions) borders(c class) (test, validation int) {
	n := c.distinct()
	if f.TrainPerClass > 0 {
		return n - f.TrainPerClass, n - f.TrainPerClass
	}
	least := func(fraction float64) int {
		if fraction > 0 {
			return 1
		}
		return 0
	}
	test = min(max(c.below(f.Test), least(f.Test)), n-1-least(f.Validation))
	validation = min(max(c.below(f.Test+f.Validation), test+least(f.Validation)), n-1)
	return test, validation
}

// class is the images of one label sorted by their places.
type class struct {
	label  string
	images []placed
}

type placed struct {
	place float64
	index int // of the entry
	rank  int // among the different images of the class; duplicates share it
}

// distinct returns the number of different images.
func (c class) distinct() int { return c.images[len(c.images)-1].rank + 1 }

// below returns the number of different images whose place is below a fraction.
func (c class) below(fraction float64) int {
	i, _ := slices.BinarySearchFunc(c.images, fraction, func(p placed, f float64) int { return cmp.Compare(p.place, f) })
	if i == len(c.images) {
		return c.distinct()
	}
	return c.images[i].rank
}

// places computes every entry's place, by class in the order of the labels.
func (s *Snapshot) places(seed uint64) []class {
	count := make(map[string]int)
	for _, e := range s.Entries {
		count[e.Label]++
	}
	byLabel := make(map[string][]placed, len(count))
	for label, n := range count {
		byLabel[label] = make([]placed, 0, n)
	}
	for i, e := range s.Entries {
		byLabel[e.Label] = append(byLabel[e.Label], placed{place: place(seed, e.SHA256), index: i})
	}
	classes := make([]class, 0, len(byLabel))
	for label, images := range byLabel {
		hash := func(p placed) []byte { return s.Entries[p.index].SHA256[:] }
		slices.SortFunc(images, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.place, b.place), bytes.Compare(hash(a), hash(b)), cmp.Compare(a.index, b.index))
		})
		for i := 1; i < len(images); i++ {
			images[i].rank = images[i-1].rank
			if !bytes.Equal(hash(images[i]), hash(images[i-1])) {
				images[i].rank++
			}
		}
		classes = append(classes, class{label: label, images: images})
	}
	slices.SortFunc(classes, func(a, b class) int { return cmp.Compare(a.label, b.label) })
	return classes
}

// place maps an image uniformly to [0, 1).
func place(seed uint64, content [sha256.Size]byte) float64 {
	var b [8 + sha256.Size]byte
	binary.BigEndian.PutUint64(b[:], seed)
	copy(b[8:], content[:])
	h := sha256.Sum256(b[:])
	return float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53) // 53 bits fit a float64 exactly
}

// some joins the first n elements of a list and states how many more there are.
func some(list []string, n int) string {
	if len(list) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
	}
	return strings.Join(list, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

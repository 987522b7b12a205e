package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tkit/ingest/deadletter"
	"tkit/internal/present"
)

// A tally is what is in a sink.
type tally struct {
	sink                              string
	once, missing, repeated, unwanted int // images
}

// count compares how often each image is in a sink with those that should be there once.
func count(sink string, want map[string]bool, found map[string]int) tally {
	t := tally{sink: sink}
	for sum := range want {
		switch n := found[sum]; {
		case n == 0:
			t.missing++
		case n == 1:
			t.once++
		default:
			t.repeated++
		}
	}
	for sum := range found {
		if !want[sum] {
			t.unwanted++
		}
	}
	return t
}

func (t tally) err() error {
	if t.missing+t.repeated+t.unwanted == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d images are missing, %d are there more than once, %d should not be there", t.sink, t.missing, t.repeated, t.unwanted)
}

func (t tally) row() []string {
	return []string{t.sink, strconv.Itoa(t.once), strconv.Itoa(t.missing), strconv.Itoa(t.repeated), strconv.Itoa(t.unwanted)}
}

// compare queries each sink and reads the dead letters in a folder, and writes what it has
// found. What should be different is an error.
func (s *servers) compare(ctx context.Context, w io.Writer, want files, dead string) (err error) {
	var tallies []tally
	for _, sink := range []struct {
		name string
		read func(context.Context) (map[string]int, error)
	}{
		{"HDFS: files below " + folder, s.inHDFS}, {"PostgreSQL: rows of " + table, s.inPostgres},
		{"OpenSearch: documents of " + index, s.inOpenSearch}, {"Kafka: keys of " + topic, s.inKafka},
	} {
		found, readErr := sink.read(ctx)
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", sink.name, readErr))
			continue
		}
		t := count(sink.name, want.good, found)
		tallies = append(tallies, t)
		err = errors.Join(err, t.err())
	}
	fmt.Fprintf(w, "\n%d images in %d files:\n", len(want.good), len(want.good)+want.copies)
	header := []string{"sink", "exactly once", "missing", "more than once", "unwanted"}
	err = errors.Join(err, present.Rows(w, header, tallies, tally.row), s.mail.compare(w, len(want.good)+want.copies))
	letters, readErr := readLetters(ctx, dead)
	err = errors.Join(err, readErr, compareLetters(w, want.bad, letters))
	if err == nil {
		err = s.ask(ctx, w)
	}
	if err == nil {
		err = present.Styled(w, present.Bold, "\nEvery image is in each sink exactly once, and every other file is a dead letter with its cause.\n")
	}
	return err
}

// compare compares the number of files with that of which mail tells: each one is news.
func (b *mailbox) compare(w io.Writer, want int) error {
	mails, files, err := b.told()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "mail: %d, about %d files\n", mails, files)
	if files != want {
		return fmt.Errorf("mail: %d files, and there were %d", files, want)
	}
	return nil
}

func readLetters(ctx context.Context, folder string) (letters []deadletter.Letter, err error) {
	store := deadletter.OpenToRead(folder)
	for l, err := range store.Letters(ctx) {
		if err != nil {
			return letters, err
		}
		letters = append(letters, l)
	}
	slices.SortFunc(letters, func(a, b deadletter.Letter) int { return strings.Compare(a.Source, b.Source) })
	return letters, nil
}

// compareLetters writes the dead letters, and compares them with the bad files, by their
// sources.
func compareLetters(w io.Writer, bad map[string]string, letters []deadletter.Letter) (err error) {
	left := maps.Clone(bad)
	for _, l := range letters {
		sum, there := left[l.Source]
		delete(left, l.Source)
		switch {
		case !there:
			err = errors.Join(err, fmt.Errorf("the dead letter of %s should not be there", l.Source))
		case sum != l.SHA256 || l.Cause == "":
			err = errors.Join(err, fmt.Errorf("the dead letter of %s has another content, or no cause", l.Source))
		}
	}
	for _, source := range slices.Sorted(maps.Keys(left)) {
		err = errors.Join(err, fmt.Errorf("there is no dead letter of %s", source))
	}
	fmt.Fprintf(w, "\n%d files that are no images:\n", len(bad))
	return errors.Join(err, present.Rows(w, []string{"dead letter", "stage", "cause"}, letters, func(l deadletter.Letter) []string {
		return []string{l.Source, l.Stage, l.Cause}
	}))
}

// ask shows what the sinks are for.
func (s *servers) ask(ctx context.Context, w io.Writer) error {
	sites, err := s.sites(ctx)
	if err != nil {
		return err
	}
	labels, err := s.labels()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\nWhat the sinks are for:")
	return present.Pairs(w, [][2]string{
		{"PostgreSQL", "images of each site: " + strings.Join(sites, ", ")},
		{"OpenSearch", "images of each label: " + strings.Join(labels, ", ")},
	})
}

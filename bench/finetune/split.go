package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tkit/datasets"
	"tkit/datasets/all"
)

// split is the division of a dataset, the same for both sides.
type split struct {
	// Validation and the seed are for tkit, which splits by itself.
	fractions datasets.Fractions
	// Two folders of links are for Keras, which trains on tkit's training and
	// validation images.
	train, test string
}

// divide finds the first seed with which tkit's split has exactly this number
// of test images, and creates the same split for Keras.
func divide(ctx context.Context, folder, work string, test int) (split, error) {
	src, err := all.Open(ctx, folder)
	if err != nil {
		return split{}, err
	}
	snapshot, _, err := datasets.TakeSnapshot(ctx, src, datasets.SnapshotOptions{})
	if err != nil {
		return split{}, err
	}
	f := datasets.Fractions{Validation: 0.15, Test: float64(test) / float64(len(snapshot.Entries))}
	for f.Seed = 1; f.Seed < 10_000; f.Seed++ {
		parts, err := snapshot.Split(f)
		if err != nil {
			return split{}, err
		}
		if len(parts.Test) != test {
			continue
		}
		s := split{fractions: f, train: filepath.Join(work, "train"), test: filepath.Join(work, "test")}
		for to, entries := range map[string][][]int{s.train: {parts.Train, parts.Validation}, s.test: {parts.Test}} {
			for _, list := range entries {
				if err := link(snapshot, list, folder, to); err != nil {
					return split{}, err
				}
			}
		}
		return s, nil
	}
	return split{}, fmt.Errorf("no seed splits %d images into exactly %d test images", len(snapshot.Entries), test)
}

// link creates a folder of links to some entries' files.
func link(s *datasets.Snapshot, entries []int, from, to string) error {
	for _, i := range entries {
		key := filepath.FromSlash(s.Entries[i].Key)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, key)), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(from, key), filepath.Join(to, key)); err != nil {
			return err
		}
	}
	return nil
}

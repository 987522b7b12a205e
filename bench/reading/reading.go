// Package reading measures how fast the images of a dataset are listed, opened
// and read completely, for the benchmark programs that compare stores and
// formats.
package reading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/datasets"
)

const (
	// ImageBytes is the size of an image.
	ImageBytes = 20_000
	perClass   = 200
)

// Image is an image of the dataset.
type Image struct {
	Name  string // CLASS/NUMBER.jpg
	Bytes []byte
}

// Draw generates images of random bytes, which are read, but not decoded.
func Draw(n int) []Image {
	random := rand.NewChaCha8([32]byte{1})
	all := make([]Image, n)
	for i := range all {
		all[i] = Image{fmt.Sprintf("class-%03d/%06d.jpg", i/perClass, i), make([]byte, ImageBytes)}
		random.Read(all[i].Bytes) // never fails
	}
	return all
}

// Readers are the numbers of parallel readers that are tried.
var Readers = []int{2, 4, 8, 16}

// Fastest tries all numbers of readers once and returns the one with the most
// images/s.
func Fastest(round func(readers int) (float64, error)) (readers int, err error) {
	best := 0.0
	for _, n := range Readers {
		rate, err := round(n)
		if err != nil {
			return 0, err
		}
		if rate > best {
			best, readers = rate, n
		}
	}
	return readers, nil
}

// Side is one way to read the images.
type Side struct {
	Images int
	Open   func(ctx context.Context) (datasets.Source, error)
}

// Round opens the source, reads all images and returns images/s.
func (s Side) Round(ctx context.Context, readers int) (perSecond float64, err error) {
	src, err := s.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, datasets.Close(src)) }()
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	listed := make(chan datasets.Example, readers)
	group.Go(func() error {
		defer close(listed)
		n := 0
		for e, err := range src.Examples(ctx) {
			if err != nil {
				return err
			}
			select {
			case listed <- e:
				n++
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n != s.Images {
			return fmt.Errorf("%s lists %d images of %d", src.URI(), n, s.Images)
		}
		return nil
	})
	for range readers {
		group.Go(func() error {
			b := make([]byte, ImageBytes+1)
			for e := range listed {
				if err := read(ctx, e, b); err != nil {
					return fmt.Errorf("%s: %w", e.Key, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(s.Images) / time.Since(begin).Seconds(), nil
}

func read(ctx context.Context, e datasets.Example, b []byte) (err error) {
	r, err := e.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if n, err := io.ReadFull(r, b); n != ImageBytes || !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	return nil
}

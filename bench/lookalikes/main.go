// Lookalikes measures the detection of similar images by the report on a
// dataset: of 300 photographs and 1,797 scanned digits of 8×8 pixels, the
// proportion that is recognised after being encoded again, scaled, trimmed, or
// made brighter or darker; and the number of pairs of different images that are
// falsely reported, and the largest group formed by such pairs. All photographs
// and digits are different, but digits of one class are very similar.
//
//	go run ./bench/lookalikes
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sync/errgroup"

	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/datasets/digits"
	"tkit/datasets/pictures"
	"tkit/datasets/similarity"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rows, err := bench(ctx)
	if err == nil {
		err = measure.Print(rows...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lookalikes:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context) ([]measure.Row, error) {
	printer, err := pictures.NewPrinter()
	if err != nil {
		return nil, err
	}
	defer printer.Close()
	photos, err := photographs.Images(6, 50)
	if err != nil {
		return nil, err
	}
	scans, err := scanned()
	if err != nil {
		return nil, err
	}
	var rows []measure.Row
	for _, kind := range []struct {
		name    string
		images  [][]byte
		changes []change
	}{{"photographs", photos, ofPhotographs}, {"digits", scans, ofScans}} {
		s := &set{printer: printer, name: kind.name, images: kind.images}
		if s.prints, err = s.print(ctx, func(i int) ([]byte, error) { return s.images[i], nil }); err != nil {
			return nil, err
		}
		different, err := s.different(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, different...)
		for _, c := range kind.changes {
			row, err := s.changed(ctx, c)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func scanned() (images [][]byte, err error) {
	all, err := digits.Load()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		b, err := d.PNG()
		if err != nil {
			return nil, err
		}
		images = append(images, b)
	}
	return images, nil
}

// set is a set of different images.
type set struct {
	printer *pictures.Printer
	name    string
	images  [][]byte
	prints  []similarity.Print
}

// print computes a fingerprint of each image or of its changed version.
func (s *set) print(ctx context.Context, encoded func(i int) ([]byte, error)) ([]similarity.Print, error) {
	prints := make([]similarity.Print, len(s.images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i := range s.images {
		g.Go(func() error {
			b, err := encoded(i)
			if err != nil {
				return err
			}
			var ok bool
			if prints[i], ok, err = s.printer.Print(ctx, b); err == nil && !ok {
				err = fmt.Errorf("image %d of the %s has no fingerprint", i, s.name)
			}
			return err
		})
	}
	return prints, g.Wait()
}

// different counts the pairs falsely reported as the same image.
func (s *set) different(ctx context.Context) ([]measure.Row, error) {
	alike, n := 0, len(s.prints)
	list := new(similarity.Prints)
	for i := range s.prints {
		list.Add(s.prints[i])
		for j := range i {
			if similarity.Default.Alike(&s.prints[i], &s.prints[j]) {
				alike++
			}
		}
	}
	groups, _, err := similarity.Default.Groups(ctx, list)
	if err != nil {
		return nil, err
	}
	largest := 0
	for _, g := range groups {
		largest = max(largest, len(g))
	}
	pairs := float64(n) * float64(n-1) / 2e6
	return []measure.Row{
		{What: "pairs of different " + s.name + " falsely reported", Against: "all pairs; the ratio is per million", Measured: float64(alike), Reference: pairs * 1e6,
			Unit: "pairs", Ratio: float64(alike) / pairs, Target: 10, AtMost: true},
		{What: "largest chain of different " + s.name, Against: fmt.Sprintf("%d images", n), Measured: float64(largest),
			Unit: "images", Ratio: float64(largest), Target: 4, AtMost: true},
	}, nil
}

// changed measures the proportion of changed images that is recognised.
func (s *set) changed(ctx context.Context, c change) (measure.Row, error) {
	prints, err := s.print(ctx, func(i int) ([]byte, error) {
		m, _, err := image.Decode(bytes.NewReader(s.images[i]))
		if err != nil {
			return nil, err
		}
		return c.make(m)
	})
	if err != nil {
		return measure.Row{}, err
	}
	found := 0
	for i := range prints {
		if similarity.Default.Alike(&s.prints[i], &prints[i]) {
			found++
		}
	}
	part := float64(found) / float64(len(prints))
	return measure.Row{What: s.name + ", " + c.name + ": found", Against: fmt.Sprintf("all %d", len(prints)),
		Measured: float64(found), Reference: float64(len(prints)), Unit: "images", Ratio: part, Target: c.target}, nil
}

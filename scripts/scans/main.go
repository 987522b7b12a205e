// Command scans writes the included digits as if from poor scanners, for
// scripts/demo-plugins: a folder for each digit, the same bytes on every run.
//
//	scans exposure FOLDER    16-bit PNG, each with its values in a different narrow part of the range
//	scans clutter FOLDER     small and anywhere on a large uneven background
//	scans photos FOLDER      on cards, photographed at an angle and unevenly lit
package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"

	"tkit/datasets/digits"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scans:", err)
		os.Exit(1)
	}
}

var kinds = map[string]func(*rand.Rand, digits.Digit) image.Image{"exposure": exposure, "clutter": clutter, "photos": photo}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 || kinds[args[0]] == nil {
		return fmt.Errorf("got %q, want exposure, clutter or photos, and a folder", args)
	}
	all, err := digits.Load()
	if err != nil {
		return err
	}
	for i, d := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		scan := kinds[args[0]](rand.New(rand.NewPCG(1, uint64(i))), d)
		path := filepath.Join(args[1], strconv.Itoa(d.Label), fmt.Sprintf("%04d.png", i))
		if err := write(path, scan); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, scan image.Image) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	return png.Encode(f, scan)
}

// exposure returns a digit from a 16-bit detector: its black level is anywhere
// below 40,000, and its white level 300 to 1,500 above that.
func exposure(r *rand.Rand, d digits.Digit) image.Image {
	black, contrast := r.IntN(40000), 300+r.IntN(1200)
	m := image.NewGray16(image.Rect(0, 0, digits.Side, digits.Side))
	for i, level := range d.Pixels {
		m.SetGray16(i%digits.Side, i/digits.Side, color.Gray16{Y: uint16(black + int(level)*contrast/digits.White)})
	}
	return m
}

// clutter returns a digit of 24 × 24 pixels anywhere on 96 × 96 pixels of slow
// waves and noise, which are less than half as bright.
func clutter(r *rand.Rand, d digits.Digit) image.Image {
	const side, times = 96, 3
	m := image.NewGray(image.Rect(0, 0, side, side))
	fx, fy, phase := r.Float64()*0.2, r.Float64()*0.2, r.Float64()*2*math.Pi
	for i := range m.Pix {
		wave := math.Sin(fx*float64(i%side) + fy*float64(i/side) + phase)
		m.Pix[i] = uint8(40 + 20*wave + float64(r.IntN(30)))
	}
	left, top := r.IntN(side-times*digits.Side+1), r.IntN(side-times*digits.Side+1)
	for i := range times * times * len(d.Pixels) {
		x, y := i%(times*digits.Side), i/(times*digits.Side)
		ink := uint8(int(d.Pixels[y/times*digits.Side+x/times]) * 255 / digits.White)
		at := m.PixOffset(left+x, top+y)
		m.Pix[at] = max(m.Pix[at], ink)
	}
	return m
}

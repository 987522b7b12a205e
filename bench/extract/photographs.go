package main

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"tkit/internal/inference"
)

// photographs writes n JPEGs of 500×375, the common size of ImageNet, and
// returns them as items that read their files.
func photographs(dir string, n int) (iter.Seq[inference.Item], error) {
	random := rand.New(rand.NewPCG(1, 2))
	paths := make([]string, n)
	for i := range paths {
		paths[i] = filepath.Join(dir, fmt.Sprintf("%d.jpg", i))
		if err := photograph(paths[i], random); err != nil {
			return nil, err
		}
	}
	return func(yield func(inference.Item) bool) {
		for _, path := range paths {
			item := inference.Item{Key: path, Read: func(context.Context) ([]byte, error) { return os.ReadFile(path) }}
			if !yield(item) {
				return
			}
		}
	}, nil
}

// photograph draws waves of many lengths and some grain, which a JPEG of
// quality 90 takes as many bytes for as it does for a photograph.
func photograph(path string, random *rand.Rand) error {
	const w, h, waves = 500, 375, 12
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	var wave [waves][4]float64
	for i := range wave {
		length := math.Exp(random.Float64()*4 + 1)
		angle := random.Float64() * 2 * math.Pi
		wave[i] = [4]float64{math.Cos(angle) / length, math.Sin(angle) / length, random.Float64() * 6, random.Float64()}
	}
	for y := range h {
		for x := range w {
			v := 0.0
			for _, a := range wave {
				v += math.Sin(a[0]*float64(x)+a[1]*float64(y)+a[2]) * a[3]
			}
			for c := range 3 {
				grain := random.NormFloat64() * 4
				level := 128 + 30*v*(1-float64(c)/5) + grain
				m.Pix[m.PixOffset(x, y)+c] = uint8(min(max(level, 0), 255))
			}
			m.Pix[m.PixOffset(x, y)+3] = 255
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	if err := jpeg.Encode(b, m, &jpeg.Options{Quality: 90}); err != nil {
		return err
	}
	return b.Flush()
}

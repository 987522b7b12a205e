// Package photographs draws JPEG files that stand for photographs: 500×375, the
// common size of ImageNet, at quality 90, of some 55 kB, with detail at every
// scale. They come in classes that a classifier can learn, but not by one
// feature alone.
package photographs

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"tkit/bench/fixtures"
)

// Width and Height of every photograph.
const (
	Width  = 500
	Height = 375
)

const (
	quality = 90
	drawing = 3 // changes with what is drawn
)

// Folder returns a folder that holds a folder of photographs for each class,
// the first time by drawing them. The same numbers give the same images.
func Folder(classes, perClass int) (string, error) {
	if classes < 1 || perClass < 1 {
		return "", fmt.Errorf("photographs: %d classes of %d: there must be one or more of both", classes, perClass)
	}
	name := fmt.Sprintf("photographs-%d-%dx%d", drawing, classes, perClass)
	return fixtures.Folder(name, func(dir string) error {
		var group errgroup.Group
		group.SetLimit(runtime.NumCPU())
		for class := range classes {
			folder := filepath.Join(dir, fmt.Sprintf("class%02d", class))
			if err := os.Mkdir(folder, 0o755); err != nil {
				return errors.Join(err, group.Wait())
			}
			for i := range perClass {
				group.Go(func() error {
					m := newScene(class, classes, rand.New(rand.NewPCG(uint64(class), uint64(i)))).draw()
					return write(filepath.Join(folder, fmt.Sprintf("%04d.jpg", i)), m)
				})
			}
		}
		return group.Wait()
	})
}

// Images returns the photographs of such a folder, class by class, as JPEGs.
func Images(classes, perClass int) ([][]byte, error) {
	dir, err := Folder(classes, perClass)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
	if err != nil {
		return nil, err
	}
	images := make([][]byte, len(paths))
	for i, path := range paths {
		if images[i], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func write(path string, m image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	return errors.Join(jpeg.Encode(b, m, &jpeg.Options{Quality: quality}), b.Flush(), f.Close())
}

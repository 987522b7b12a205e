package pictures

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"tkit/datasets"
	"tkit/internal/guard"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

// thumbnailSide is the height and width of a thumbnail in pixels.
const thumbnailSide = 112

const thumbnailQuality = 80

// Thumbnails makes thumbnails of the images with the given keys: JPEGs of the
// central square, upright. Images in the snapshot must be unchanged, or the
// error wraps datasets.ErrChanged. Images that are missing or cannot be decoded
// are omitted. The images are listed again, up to the last one requested.
func Thumbnails(ctx context.Context, src datasets.Source, s *datasets.Snapshot, keys map[string]bool) (_ map[string][]byte, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	thumbnailer, err := NewThumbnailer()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, thumbnailer.Close()) }()
	entries := make(map[string]datasets.Entry, len(keys))
	for _, e := range s.Entries {
		if keys[e.Key] {
			entries[e.Key] = e
		}
	}
	made := make(map[string][]byte, len(keys))
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU() + 1) // one reads while the others decode
	left := len(keys)
	for example, err := range src.Examples(gctx) {
		if err != nil {
			return nil, errors.Join(err, g.Wait())
		}
		if !keys[example.Key] {
			continue
		}
		g.Go(func() error {
			var thumbnail []byte
			err := guard.Call(func() error {
				encoded, err := read(gctx, example, entries)
				if err == nil {
					thumbnail, err = thumbnailer.Draw(gctx, encoded)
				}
				return err
			})
			switch {
			case errors.Is(err, datasets.ErrUndecodable):
				return nil
			case err != nil:
				return fmt.Errorf("thumbnail of %s: %w", example.Key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			made[example.Key] = thumbnail
			return nil
		})
		if left--; left == 0 {
			break
		}
	}
	return made, g.Wait()
}

// read reads an example. One that is not in the snapshot, because it has two
// labels, is bounded as in a snapshot.
func read(ctx context.Context, example datasets.Example, entries map[string]datasets.Entry) (b []byte, err error) {
	if e, known := entries[example.Key]; known {
		return datasets.ReadVerified(ctx, example, e)
	}
	rc, err := example.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	return io.ReadAll(io.LimitReader(rc, datasets.DefaultMaxBytes))
}

// A Thumbnailer makes thumbnails. Its methods may be called concurrently.
type Thumbnailer struct{ pipeline *pipeline.Pipeline }

// NewThumbnailer returns a thumbnailer, which the caller closes.
func NewThumbnailer() (*Thumbnailer, error) {
	p, err := pipeline.Compile(preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 3, JPEGScale: true, Orientation: true}},
		{Resize: &preprocessing.Resize{Height: thumbnailSide, Width: thumbnailSide, Kernel: preprocessing.Area, Keep: preprocessing.KeepShorter}},
		{Crop: &preprocessing.Crop{Height: thumbnailSide, Width: thumbnailSide}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.None}},
	}})
	if err != nil {
		return nil, fmt.Errorf("thumbnails: %w", err)
	}
	return &Thumbnailer{p}, nil
}

// Close ends the use of the thumbnailer.
func (t *Thumbnailer) Close() error { return t.pipeline.Close() }

// Draw makes a thumbnail of an encoded image: a JPEG of its central square, 112 pixels
// wide and high, upright. The error wraps datasets.ErrUndecodable if the image cannot be
// decoded.
func (t *Thumbnailer) Draw(ctx context.Context, encoded []byte) ([]byte, error) {
	levels := make([]float32, thumbnailSide*thumbnailSide*3)
	if err := into(ctx, t.pipeline, encoded, levels); err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, thumbnailSide, thumbnailSide))
	for i := range thumbnailSide * thumbnailSide {
		for c := range 3 {
			m.Pix[4*i+c] = uint8(max(0, min(255, levels[3*i+c]+0.5)))
		}
		m.Pix[4*i+3] = 255
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: thumbnailQuality})
	return b.Bytes(), err
}

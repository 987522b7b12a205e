package base

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/bases"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// A Checked says what Check found.
type Checked struct {
	Base   string          `json:"base"`
	Digest registry.Digest `json:"digest"` // of the bytes that were read
	// Outputs is the number of values for an image.
	Outputs int `json:"outputs"`
	// Milliseconds is the time for one image, once warm.
	Milliseconds float64 `json:"milliseconds"`
}

// Check verifies the bytes of a stored base against its digest and computes with it:
// an image's outputs must be finite and must depend on that image alone.
func Check(ctx context.Context, c *catalog.Catalog, who access.Caller, name string) (found Checked, err error) {
	m, whole, err := c.OpenBase(ctx, who, name)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	found = Checked{Base: m.Name, Digest: m.Network.Digest}
	usable, err := bases.Prepare(whole, bases.Options{})
	if err != nil {
		return found, fmt.Errorf("%s: %w", m.Name, err)
	}
	defer func() { err = errors.Join(err, usable.Network.Close()) }()
	h, w, channels := m.Preprocessing.Shape()
	sized, err := usable.Network.WithInput([]int64{-1, int64(h), int64(w), int64(channels)})
	if err == nil {
		err = compute(ctx, sized, &found)
	}
	if err != nil {
		return found, fmt.Errorf("%s: %w", m.Name, err)
	}
	return found, nil
}

// compute runs a network on an image of noise, twice, and on several at once.
func compute(ctx context.Context, n *network.Network, found *Checked) (err error) {
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	shape := n.Inputs[0].Shape
	pixels := make([]float32, shape[1]*shape[2]*shape[3])
	for i := range pixels {
		pixels[i] = float32(i*7919%256)/127.5 - 1
	}
	image, err := tensorflow.FromFloat32([]int64{1, shape[1], shape[2], shape[3]}, pixels)
	if err != nil {
		return err
	}
	defer image.Close()
	for range 2 {
		begun := time.Now()
		out, err := l.Run(ctx, image)
		if err != nil {
			return err
		}
		found.Milliseconds = float64(time.Since(begun)) / float64(time.Millisecond)
		values := out[0].Float32()
		found.Outputs = len(values)
		for _, v := range values {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				err = fmt.Errorf("it computes %v: the weights are not usable", v)
			}
		}
		out[0].Close()
		if err != nil {
			return err
		}
	}
	return independence.Try(ctx, l, independence.ToleranceFP32)
}

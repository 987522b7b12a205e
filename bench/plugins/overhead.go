package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"tkit/bench/measure"
	"tkit/plugins"
	"tkit/plugins/store"
)

// numbered returns a batch of n images that contain a number.
func numbered(n int, number uint64) plugins.Batch {
	b := plugins.NewBatch(plugins.Uint8, n, [3]int{224, 224, 3})
	for i := range b.Uint8 {
		b.Uint8[i] = uint8(i)
	}
	binary.LittleEndian.PutUint64(b.Uint8, number)
	return b
}

// overhead measures the time added to a call by communicating with a process.
func overhead(ctx context.Context, s store.Store, i store.Installed, o options) ([]measure.Row, error) {
	const images = 32
	in := numbered(images, 1)
	var rows []measure.Row
	for _, way := range []struct {
		name     string
		noMemory bool
		target   float64
	}{{"shared memory", false, 0.1}, {"gRPC", true, 0.5}} {
		c := alone
		c.NoSharedMemory = way.noMemory
		p, err := s.Open(ctx, i, c)
		if err != nil {
			return nil, err
		}
		call := func(by plugins.Preprocessor) (float64, error) {
			begun, n := time.Now(), 0
			for ; n < 10 || time.Since(begun) < time.Second; n++ {
				if _, err := by.Process(ctx, nil, in); err != nil {
					return 0, err
				}
			}
			return ms(time.Since(begun)) / float64(n*images), nil
		}
		process, within, _, err := measure.Interleave(2*o.rounds+1,
			func() (float64, error) { return call(p) },
			func() (float64, error) { return call(copier{}) })
		if err := errors.Join(err, p.Close()); err != nil {
			return nil, err
		}
		rows = append(rows, measure.Row{
			What: "plugin that does nothing, batch of 32, by " + way.name, Against: "the same within the process",
			Measured: process, Reference: within, Unit: "ms/image", Ratio: process - within, Target: way.target, AtMost: true,
			Note: "the ratio is the added ms per image",
		})
	}
	return rows, nil
}

// copier does within the process what a plugin that does nothing does: it
// returns a copy.
type copier struct{ plugins.Preprocessor }

func (copier) Process(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	out := plugins.NewBatch(in.Kind, in.Count, in.Shape)
	copy(out.Uint8, in.Uint8)
	return out, nil
}

package trial

import (
	"context"
	"time"

	"tkit/plugins/preprocesstest"
	"tkit/plugins/store"
)

// Figures are the measurements of a plugin. Times are in milliseconds.
type Figures struct {
	Plugin string `json:"plugin"`
	// Batch describes the batches.
	Batch string `json:"batch"`
	// Start is the time from the start of a process to its first result, the
	// median.
	Start float64 `json:"start_to_first_answer_ms"`
	// Shared and GRPC are for images in shared memory and in messages. Shared
	// is nil if the plugin shares no memory with tkit.
	Shared *Speed `json:"shared_memory"`
	GRPC   *Speed `json:"grpc"`
}

// Speed is the throughput of one transport.
type Speed struct {
	Image float64 `json:"ms_per_image"` // median
	P99   float64 `json:"p99_ms_per_batch"`
	Rate  float64 `json:"images_per_second"`
}

// Bench measures a plugin on batches with the given number of images.
func Bench(ctx context.Context, s store.Store, o Options, images int) (f Figures, err error) {
	err = o.try(ctx, s, func(_ *store.Trial, open opener) error {
		t, err := preprocesstest.Bench(ctx, open, o.Suite, images)
		if err != nil {
			return err
		}
		f = Figures{Plugin: t.Plugin, Batch: t.Batch, Start: milliseconds(t.Starts[len(t.Starts)/2]),
			Shared: speedOf(t.Shared, images), GRPC: speedOf(t.GRPC, images)}
		return nil
	})
	return f, err
}

// speedOf returns nil without measurements.
func speedOf(sorted []time.Duration, images int) *Speed {
	if len(sorted) == 0 {
		return nil
	}
	median := milliseconds(sorted[len(sorted)/2]) / float64(images)
	return &Speed{Image: median, P99: milliseconds(sorted[len(sorted)*99/100]), Rate: 1000 / median}
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

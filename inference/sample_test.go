package inference_test

import (
	"archive/tar"
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/logtest"
	"tkit/registry"
)

// A server configured for bfloat16 uses it only for versions whose sample
// agrees; the others are served in FP32, and the reason is logged.
func TestPrecisionNeedsASample(t *testing.T) {
	sample := func(images ...[]byte) registry.Content {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, img := range images {
			if err := w.WriteHeader(&tar.Header{Name: "image", Mode: 0o600, Size: int64(len(img))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(img); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return registry.FromReader(&b)
	}
	h := inferencetest.New(t)
	h.Serve(t, "without")
	var images [][]byte
	for i := range 6 {
		images = append(images, inferencetest.PNG(t, uint64(i)))
	}
	for model, content := range map[string]registry.Content{"with": sample(images...), "broken": sample([]byte("no image"))} {
		v := h.RegisterWith(t, model, 2, map[string]registry.Content{inference.SampleAttachment: content})
		h.Promote(t, model, v, registry.Production)
	}
	var log logtest.Buffer
	m := inferencetest.RunIn(t, h.Source(t), inference.BF16, slog.New(slog.NewTextHandler(&log, nil)))
	m.Until(t, "all but the broken one answer", func() bool {
		now := m.Readiness()
		return now.Started && len(now.Missing) == 1
	})
	if _, err := m.Acquire(context.Background(), registry.Ref{Model: "broken"}); err == nil || !strings.Contains(err.Error(), "not loaded yet") {
		t.Errorf("a version whose sample cannot be read: %v", err)
	}
	if !strings.Contains(log.String(), "without@1 has no sample.tar") {
		t.Errorf("the log does not say why FP32:\n%s", log.String())
	}
	// On a processor without bfloat16 instructions the sample does not matter.
	// In both cases the results are approximately those of FP32.
	want := byHand(t, h, "with", images[:1])[0]
	for k, p := range classify(t, m, registry.Ref{Model: "with"}, images[0])[0].Probabilities {
		if d := p - want[k]; d > 0.05 || d < -0.05 {
			t.Errorf("class %d: %v, in FP32 %v", k, p, want[k])
		}
	}
}

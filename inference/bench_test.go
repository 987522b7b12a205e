package inference_test

import (
	"testing"

	"tkit/inference/inferencetest"
	"tkit/registry"
)

// BenchmarkClassify classifies one JPEG a request, as :classify-image does.
func BenchmarkClassify(b *testing.B) {
	home := inferencetest.New(b)
	home.Serve(b, "digits")
	m := home.Start(b)
	image := [][]byte{inferencetest.JPEG(b, 1)}
	b.ReportAllocs()
	for b.Loop() {
		h, err := m.Acquire(b.Context(), registry.Ref{Model: "digits"})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := h.Classify(b.Context(), image); err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

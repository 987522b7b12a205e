package ingest_test

import (
	"path/filepath"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/inference/inferencetest"
	"tkit/ingest"
)

const review = `
name: test
input:
  tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - tkit_classify: {models: [flowers]}
output:
  switch:
    cases:
      - check: '@tkit_probability < 0.35'
        output: {tkit_folder: {path: review, partition: "{label}"}}
      - check: '@tkit_probability < 2'
        output: {tkit_folder: {path: out}}
`

// Rules send images to a folder for review, which is a dataset with the predicted
// labels. An image that no rule takes is not lost.
func TestReview(t *testing.T) {
	p := newPlace(t)
	const images = 12
	for i := range images {
		p.write(t, filepath.Join("in", string(rune('a'+i))+".jpg"), inferencetest.JPEG(t, uint64(i)))
	}
	p.write(t, "in/bad.jpg", []byte("no image"))
	s, err := ingest.Run(t.Context(), p.options(p.write(t, "pipeline.yaml", []byte(review))))
	if err != nil || s.Delivered != images || s.Dead != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	certain := len(p.records(t, "out"))
	source, err := all.Open(t.Context(), filepath.Join(p.dir, "review"))
	if err != nil {
		t.Fatal(err)
	}
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), source, datasets.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if certain == 0 || certain == images || len(snapshot.Entries) != images-certain || len(report.Quarantined) > 0 {
		t.Errorf("%d images are certain, %d of %d are for review: %+v", certain, len(snapshot.Entries), images, report)
	}
}

package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference/inferencetest"
	"tkit/ingest"
)

// Images that all of several outputs refuse do not hold up the others, whether a
// processor or the outputs have failed.
func TestManyOutputs(t *testing.T) {
	const outputs, images = 5, 90
	for _, pattern := range []string{"fan_out", "fan_out_sequential"} {
		t.Run(pattern, func(t *testing.T) {
			p := newPlace(t)
			var text strings.Builder
			text.WriteString("name: test\ninput: {tkit_directory: {path: in, settle: 10ms, after: delete}}\n" +
				"pipeline: {processors: [{mutation: 'root = if content().string().contains(\"no image\") { throw(\"bad\") }'}]}\n" +
				"delivery: {attempts: 1}\noutput:\n  broker:\n    pattern: " + pattern + "\n    outputs:\n")
			for i := range outputs {
				fmt.Fprintf(&text, "      - tkit_folder: {path: out-%d}\n        processors: [{mutation: 'root = if content().string().contains(\"refused\") { throw(\"refused\") }'}]\n", i)
			}
			for i := range images {
				content := inferencetest.JPEG(t, uint64(i))
				switch i % 3 {
				case 1:
					content = fmt.Appendf(nil, "no image %d", i)
				case 2:
					content = fmt.Appendf(nil, "refused %d", i)
				}
				p.write(t, fmt.Sprintf("in/%d", i), content)
			}
			s, err := ingest.Run(t.Context(), p.options(p.write(t, "pipeline.yaml", []byte(text.String()))))
			if err != nil || s.Delivered != images/3 || s.Dead != 2*images/3 {
				t.Errorf("%+v, %v", s, err)
			}
			for i := range outputs {
				p.checkFiles(t, fmt.Sprintf("out-%d", i), images/3)
			}
			if left, err := os.ReadDir(filepath.Join(p.dir, "in")); err != nil || len(left) > 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
		})
	}
}

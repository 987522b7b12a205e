package status

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"tkit/ingest/graph"
	"tkit/internal/durable"
	"tkit/internal/inputfile"
)

// A View is what a run tells about itself besides its status, for people who look at
// it.
type View struct {
	Graph  *graph.Graph `json:"graph"`
	Recent []Recent     `json:"recent"` // the last first
}

// A Recent is one of the images that were delivered last.
type Recent struct {
	Time        time.Time `json:"time"`
	Source      string    `json:"source"`
	Model       string    `json:"model,omitempty"` // with its version
	Label       string    `json:"label,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Thumbnail   []byte    `json:"thumbnail,omitempty"` // a small JPEG, if the image can be decoded
}

const viewName = "view.json"

// maxView is the maximum size of the file in bytes: some thumbnails and a graph.
const maxView = 4 << 20

// WriteView replaces the view in the folder of a pipeline's state.
func WriteView(folder string, v View) error {
	encoded, err := json.Marshal(v)
	if err == nil {
		err = durable.ReplaceFile(folder, filepath.Join(folder, viewName), encoded, 0o600)
	}
	if err != nil {
		return fmt.Errorf("the view of the pipeline: %w", err)
	}
	return nil
}

// ReadView reads the view from the folder of a pipeline's state.
func ReadView(ctx context.Context, folder string) (View, error) {
	var v View
	encoded, err := inputfile.Read(ctx, filepath.Join(folder, viewName), maxView)
	if err == nil {
		err = json.Unmarshal(encoded, &v)
	}
	if err != nil {
		return v, fmt.Errorf("the view of the pipeline %s: %w", filepath.Base(folder), err)
	}
	return v, nil
}

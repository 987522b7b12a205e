package ingest

import (
	"context"

	"tkit/datasets/pictures"
	"tkit/ingest/components"
	"tkit/ingest/graph"
	"tkit/ingest/status"
)

// maxRecent is the number of images in a view.
const maxRecent = 12

// A viewer keeps the view of a run: its graph, and thumbnails of some of the images that
// were classified last. It draws one each time it is asked, so that it costs a fast
// pipeline nothing.
type viewer struct {
	folder   string
	counters *components.Counters
	pictures *pictures.Thumbnailer
	view     status.View
}

func newViewer(folder string, c *components.Counters, g *graph.Graph) (*viewer, error) {
	p, err := pictures.NewThumbnailer()
	if err != nil {
		return nil, err
	}
	return &viewer{folder: folder, counters: c, pictures: p, view: status.View{Graph: g, Recent: []status.Recent{}}}, nil
}

// write writes the view if an image was classified since the last time.
func (v *viewer) write(ctx context.Context) error {
	c := v.counters.Classified.Swap(nil)
	if c == nil {
		return nil
	}
	one := c.Recent
	// A model may take what is no picture, such as DICOM with a plugin.
	if thumbnail, err := v.pictures.Draw(ctx, c.Image); err == nil {
		one.Thumbnail = thumbnail
	}
	v.view.Recent = append([]status.Recent{one}, v.view.Recent...)
	v.view.Recent = v.view.Recent[:min(maxRecent, len(v.view.Recent))]
	return status.WriteView(v.folder, v.view)
}

func (v *viewer) close() error { return v.pictures.Close() }

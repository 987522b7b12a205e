package inference

import (
	"context"

	"tkit/registry"
)

// A Source determines which versions to serve, and finds their files.
type Source interface {
	// Aspirations returns the wanted versions and labels, by model name. After
	// an error, what is served does not change.
	Aspirations(ctx context.Context) ([]Aspiration, error)
	// Changes sends whenever the aspirations may have changed, until ctx ends.
	// Several changes may be sent as one.
	Changes(ctx context.Context) <-chan struct{}
	PartSource
}

// A PartSource finds the parts of a version.
type PartSource interface {
	Parts(ctx context.Context, model string, version int) (Parts, error)
}

// Parts are the parts of a version: a manifest with the files of a trunk and a
// head, or a SavedModel.
type Parts struct {
	// SavedModel is the folder of a SavedModel that is served as it is. If it is
	// set, all other fields are empty.
	SavedModel string

	Manifest  *registry.Manifest
	TrunkPath string
	HeadPath  string
	// SamplePath is the file of the SampleAttachment; "" if there is none.
	SamplePath string
}

package inference

import (
	"context"

	"tkit/registry"
)

// A Source says what to serve and where it is stored.
type Source interface {
	// Aspirations is what is wanted now, by model name. An error leaves what is
	// being served as it is.
	Aspirations(ctx context.Context) ([]Aspiration, error)
	// Changes sends whenever the aspirations may have changed, until ctx ends.
	// Several changes may be sent as one.
	Changes(ctx context.Context) <-chan struct{}
	// Parts finds what a version is made of.
	Parts(ctx context.Context, model string, version int) (Parts, error)
}

// Parts are what a version is made of: a manifest with the files of a trunk and a
// head, or a SavedModel.
type Parts struct {
	// SavedModel is the folder of a SavedModel that is served as it is; then there
	// is nothing else.
	SavedModel string

	Manifest  *registry.Manifest
	TrunkPath string
	HeadPath  string
	// SamplePath is the file of the SampleAttachment; "" if there is none.
	SamplePath string
}

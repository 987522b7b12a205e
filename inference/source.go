package inference

import (
	"context"

	"tkit/registry"
)

// Source says what to serve and where it lies.
type Source interface {
	// Aspirations is what is wanted now, by model name. An error leaves what is
	// being served as it is.
	Aspirations(ctx context.Context) ([]Aspiration, error)
	// Changes sends whenever the aspirations may have changed, until ctx ends.
	// Sends that come together may be one.
	Changes(ctx context.Context) <-chan struct{}
	// Parts finds a version's manifest and the files of its trunk and head.
	Parts(ctx context.Context, model string, version int) (Parts, error)
}

// Parts are what a version is made of.
type Parts struct {
	Manifest  *registry.Manifest
	TrunkPath string
	HeadPath  string
	// SamplePath is the file of the SampleAttachment; "" if there is none.
	SamplePath string
}

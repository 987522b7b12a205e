package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/sink"
)

// An imageSink keeps images and their records by the SHA-256 of the image. Write
// returns when both are durable. An error without a kind is an outage. The message has
// the metadata of the image.
type imageSink interface {
	Write(ctx context.Context, m *service.Message, i sink.Image) error
	Close() error
}

// An imageOutput is an output that writes images and their records into a sink.
type imageOutput struct {
	stage string // of its failures
	open  func(ctx context.Context) (imageSink, error)
	sink  imageSink
}

// newImageOutput returns an output with the fields of its configuration, which has
// max_in_flight.
func newImageOutput(f *fields, stage string, open func(ctx context.Context) (imageSink, error)) (service.Output, int, error) {
	if f.err != nil {
		return nil, 0, f.err
	}
	parallel, err := f.config.FieldMaxInFlight()
	return &imageOutput{stage: stage, open: open}, parallel, err
}

func (o *imageOutput) Connect(ctx context.Context) (err error) {
	o.sink, err = o.open(ctx)
	return err
}

func (o *imageOutput) Write(ctx context.Context, m *service.Message) error {
	if err := m.GetError(); err != nil {
		return err // a failed image is never written as a good one
	}
	image, err := m.AsBytes()
	if err != nil {
		return &failure.Error{Stage: o.stage, Err: err}
	}
	sum := sha256.Sum256(image)
	record, err := recordOf(m, sum)
	if err != nil {
		return &failure.Error{Stage: o.stage, Err: err}
	}
	err = o.sink.Write(ctx, m, sink.Image{SHA256: hex.EncodeToString(sum[:]), Extension: extension(image), Content: image, Record: record})
	if _, said := errors.AsType[*failure.Error](err); err == nil || said {
		return err
	}
	return &failure.Error{Stage: o.stage, Kind: failure.Outage, Err: err}
}

func (o *imageOutput) Close(context.Context) error {
	if o.sink == nil {
		return nil
	}
	return o.sink.Close()
}

package components

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/opensearch"
)

func openSearchSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes one document for each image into an index of OpenSearch.").
		Description(`The document's ID is the SHA-256 of the image's content. So each image has one document, however often it
is delivered, with the fields of the last delivery. OpenSearch has a document on disk before the image counts as
delivered; images that are delivered at the same time share a request. While OpenSearch does not answer or is overloaded,
images wait. A document that OpenSearch refuses, such as one with text in a field for numbers, makes a dead letter of its
image, and of no other. If the index or a right is missing when the pipeline starts, it ends. In a cluster with accounts
the user needs the action group cluster_composite_ops, and for the index indices:admin/get and the action group write;
indices:admin/create too if the pipeline creates it.`).
		Fields(
			service.NewStringListField("servers").Description("The URLs of nodes of one cluster, such as https://search.example.com:9200. If one does not answer, the next is used."),
			service.NewStringField("ca").Description("A file with the certificates of the servers' authority, relative to the pipeline's file. By default the system's are trusted.").Default(""),
			service.NewStringField("user").Description("The user, if the cluster authenticates.").Default(""),
			service.NewStringField("password").Description("The password of the user.").Default("").Secret(),
			service.NewStringField("index").Description("The name of the index, or of an alias with one index to write to."),
			service.NewStringField("document").Description("A mapping that gives the document, such as `{\"label\": @tkit_label, \"camera\": @camera}`. By default it has what tkit_folder writes.").Default(""),
			service.NewBoolField("create").Description("Create the index if it is missing: with text as keywords, numbers as doubles, and modified as a date.").Default(false),
			service.NewOutputMaxInFlightField().Default(64),
		)
}

// An openSearchOutput is the output tkit_opensearch.
type openSearchOutput struct {
	run      *Run
	index    opensearch.Index
	document *expression // nil: the record of the image
	sink     *opensearch.Sink
	written  atomic.Bool // a document
}

func newOpenSearch(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := &fields{config: c}
	o := &openSearchOutput{run: r, index: opensearch.Index{
		Servers: f.texts("servers"), CA: f.text("ca"), User: f.text("user"), Password: f.text("password"), Name: f.text("index"), Create: f.boolean("create"),
	}}
	text := f.text("document")
	if f.err != nil {
		return nil, 0, f.err
	}
	if o.index.CA != "" {
		o.index.CA = r.Path(o.index.CA)
	}
	if err := o.index.Check(); err != nil {
		return nil, 0, err
	}
	if text != "" {
		document, err := parseExpression(text)
		if err != nil {
			return nil, 0, fmt.Errorf("the mapping of the document: %w", err)
		}
		o.document = &document
	}
	parallel, err := c.FieldMaxInFlight()
	return o, parallel, err
}

func (o *openSearchOutput) Connect(ctx context.Context) (err error) {
	o.sink, err = o.index.Open(ctx)
	o.endIfMisconfigured(err)
	return err
}

// endIfMisconfigured ends the run after an error that somebody must repair, unless the
// output has worked before: then it is waited for, as for an outage.
func (o *openSearchOutput) endIfMisconfigured(err error) {
	if err != nil && opensearch.IsMisconfigured(err) && !o.written.Load() {
		o.run.Fail(fmt.Errorf("tkit_opensearch: %w", err))
	}
}

func (o *openSearchOutput) Write(ctx context.Context, m *service.Message) error {
	if err := m.GetError(); err != nil {
		return err // a failed image is never written as a good one
	}
	image, err := m.AsBytes()
	if err != nil {
		return &failure.Error{Stage: opensearch.Stage, Err: err}
	}
	sum := sha256.Sum256(image)
	document, err := o.documentOf(m, sum)
	if err != nil {
		return &failure.Error{Stage: opensearch.Stage, Err: err}
	}
	if err = o.sink.Write(ctx, sum, document); err == nil {
		o.written.Store(true)
	} else if failure.KindOf(err) == failure.Outage {
		o.endIfMisconfigured(err)
	}
	return err
}

// documentOf returns the document of an image as JSON.
func (o *openSearchOutput) documentOf(m *service.Message, sum [32]byte) ([]byte, error) {
	if o.document == nil {
		return recordOf(m, sum)
	}
	value, err := o.document.of(m)
	if err != nil {
		return nil, fmt.Errorf("the document: %w", err)
	}
	if _, is := value.(map[string]any); !is {
		return nil, errors.New("the mapping of the document does not give an object")
	}
	return json.Marshal(value)
}

func (o *openSearchOutput) Close(ctx context.Context) error {
	if o.sink == nil {
		return nil
	}
	return o.sink.Close(ctx)
}

package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/folder"
)

// folderStage is the stage of the failures of tkit_folder.
const folderStage = "folder"

func folderSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes each image and its metadata into a local folder.").
		Description(`The image is XX/SHA256.jpg (or .png and so on), where XX are the first two digits of the SHA-256 of its
content, and its metadata is XX/SHA256.json. So each image is in the folder exactly once, however often it is
delivered; files with equal content are one image, with the metadata of the last delivery. Both files are on disk before
the image counts as delivered. The files are private to the account of the pipeline.`).
		Fields(
			service.NewStringField("path").Description("The folder, relative to the pipeline's file."),
			service.NewOutputMaxInFlightField().Default(64),
		)
}

// A folderOutput is the output tkit_folder.
type folderOutput struct {
	path string
	sink *folder.Sink
}

func newFolder(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := fields{config: c}
	o := &folderOutput{path: r.Path(f.text("path"))}
	if f.err != nil {
		return nil, 0, f.err
	}
	parallel, err := c.FieldMaxInFlight()
	return o, parallel, err
}

func (o *folderOutput) Connect(context.Context) (err error) {
	o.sink, err = folder.Open(o.path)
	return err
}

func (o *folderOutput) Write(_ context.Context, m *service.Message) error {
	if err := m.GetError(); err != nil {
		return err // a failed image is never written as a good one
	}
	image, err := m.AsBytes()
	if err != nil {
		return &failure.Error{Stage: folderStage, Err: err}
	}
	sum := sha256.Sum256(image)
	record, err := recordOf(m, sum)
	if err != nil {
		return &failure.Error{Stage: folderStage, Err: err}
	}
	if err := o.sink.Write(sum, extension(image), image, record); err != nil {
		return &failure.Error{Stage: folderStage, Kind: failure.Outage, Err: err}
	}
	return nil
}

func (o *folderOutput) Close(context.Context) error {
	if o.sink == nil {
		return nil
	}
	return o.sink.Close()
}

// recordOf returns the metadata of an image as JSON: tkit's own at the top, without the
// prefix of their names, and the others below "metadata".
func recordOf(m *service.Message, sum [32]byte) ([]byte, error) {
	record, others := make(map[string]any), make(map[string]any)
	err := m.MetaWalkMut(func(key string, value any) error {
		if name, ours := strings.CutPrefix(key, "tkit_"); ours {
			record[name] = value
		} else {
			others[key] = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		record["metadata"] = others
	}
	// The name of the files, also if the pipeline has changed the image.
	if name := hex.EncodeToString(sum[:]); record["sha256"] != name {
		if original, ok := record["sha256"]; ok {
			record["original_sha256"] = original
		}
		record["sha256"] = name
	}
	encoded, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return nil, errors.Join(errors.New("the metadata cannot be written as JSON"), err)
	}
	return append(encoded, '\n'), nil
}

// extension returns the extension of the name of an image, by its content alone, so
// that the same image always has the same name.
func extension(image []byte) string {
	switch http.DetectContentType(image) {
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/gif":
		return ".gif"
	case "image/bmp":
		return ".bmp"
	case "image/webp":
		return ".webp"
	}
	return ".image"
}

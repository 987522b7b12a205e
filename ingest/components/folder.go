package components

import (
	"context"

	"github.com/warpstreamlabs/bento/public/service"

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

func newFolder(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := fields{config: c}
	path := r.Path(f.text("path"))
	return newImageOutput(&f, folderStage, func(context.Context) (imageSink, error) {
		s, err := folder.Open(path)
		if err != nil {
			return nil, err
		}
		return s, nil
	})
}

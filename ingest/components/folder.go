package components

import (
	"context"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/folder"
	"tkit/ingest/sink"
)

// folderStage is the stage of the failures of tkit_folder.
const folderStage = "folder"

func folderSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes each image and its metadata into a local folder.").
		Description(`The image is XX/SHA256.jpg (or .png and so on), where XX are the first two digits of the SHA-256 of its
content, and its metadata is XX/SHA256.json. So each image is in the folder exactly once, however often it is
delivered; files with equal content are one image, with the metadata of the last delivery. Both files are on disk before
the image counts as delivered. The files are private to the account of the pipeline.

The field partition gives other subfolders than XX, such as date={date}/{label}. Characters that are not possible in
names are %XX there, and what is missing is %none. An image that gets another subfolder, for example because another
version of the model gives another label, is moved there: the folder .tkit-places says where each image is. To change
the field, begin with a new folder.`).
		Fields(
			service.NewStringField("path").Description("The folder, relative to the pipeline's file."),
		).
		Fields(fileOutputFields(64)...)
}

func newFolder(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := fields{config: c}
	path := r.Path(f.text("path"))
	return newFileOutput(&f, folderStage, func(context.Context) (sink.Files, error) {
		s, err := folder.Open(path)
		if err != nil {
			return nil, err
		}
		return s, nil
	})
}

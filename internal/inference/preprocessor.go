package inference

import (
	"context"

	"tkit/internal/preprocessing"
)

// Preprocessor does one plugin step of a pipeline. Its implementation is
// usually a process of its own; a pipeline trusts nothing it answers.
type Preprocessor interface {
	// Process takes a batch of encoded images, or of pixels of one shape, and
	// gives as many images in the same order. It is called by several
	// goroutines at a time, neither changes nor keeps what it is given, and ends
	// with the context. An *ImageError says that the images are at fault and not
	// the preprocessor; the pipeline then asks for each image by itself.
	Process(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error)
}

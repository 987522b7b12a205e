package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tkit/internal/preprocessing"
)

// Preprocessor executes one plugin step of a pipeline. Its implementation is
// usually a separate process; a pipeline validates its results.
type Preprocessor interface {
	// Process takes a batch of encoded images, or of pixels of one shape, and
	// returns the same number of images in the same order. It is called by
	// several goroutines concurrently, must neither change nor keep its input,
	// and ends with the context. An *ImageError means that an image is at fault
	// and not the preprocessor.
	Process(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error)
}

// Plugins provides the preprocessors for the plugin steps of pipelines.
type Plugins interface {
	// Open returns the preprocessor of a step, ready to use: of exactly the
	// step's version and digest, if it has them, started with its
	// configuration. The error names what is missing. If the preprocessor is an
	// io.Closer, the pipeline that opened it closes it.
	Open(ctx context.Context, step preprocessing.Plugin, takes preprocessing.Form) (Preprocessor, error)
}

// ErrNoPlugins is wrapped by errors about a plugin step in a program without
// plugins.
var ErrNoPlugins = errors.New("this program runs no plugins")

// noPlugins provides no plugins.
type noPlugins struct{}

func (noPlugins) Open(_ context.Context, step preprocessing.Plugin, _ preprocessing.Form) (Preprocessor, error) {
	return nil, fmt.Errorf("plugin %s is needed, and %w", step, ErrNoPlugins)
}

// pluginStep is a plugin at its position.
type pluginStep struct {
	plugged
	preprocessor Preprocessor
}

// run calls the plugin and checks its result.
func (s *pluginStep) run(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
	out, err := s.preprocessor.Process(ctx, in)
	if bad := (*ImageError)(nil); errors.As(err, &bad) {
		return out, &ImageError{bad.Reason, fmt.Errorf("plugin %s: %w", s.step, err)}
	}
	if err != nil {
		return out, fmt.Errorf("plugin %s: %w", s.step, err)
	}
	if err := s.check(in, out); err != nil {
		return out, &ImageError{PluginFault, fmt.Errorf("plugin %s %w", s.step, err)}
	}
	return out, nil
}

// check returns an error for an invalid result.
func (s *pluginStep) check(in, out preprocessing.Batch) error {
	if err := out.Validate(); err != nil {
		return fmt.Errorf("gave %w", err)
	}
	if out.Count != in.Count {
		return fmt.Errorf("returned %d images for %d", out.Count, in.Count)
	}
	if out.Kind != s.gives.Kind {
		return fmt.Errorf("returned %s images, but its step requires %s", out.Kind, s.gives.Kind)
	}
	for i, side := range s.gives.Shape {
		if side != 0 && side != out.Shape[i] {
			return fmt.Errorf("returned images of %s, but its step requires %s", size(out.Shape), size(s.gives.Shape))
		}
	}
	if _, ok := out.Finite(); !ok {
		return errors.New("returned values that are NaN or infinite")
	}
	return nil
}

// size formats a shape; unknown sizes are question marks.
func size(shape [3]int) string {
	text := ""
	for i, side := range shape {
		if i > 0 {
			text += "×"
		}
		if side == 0 {
			text += "?"
		} else {
			text += fmt.Sprint(side)
		}
	}
	return text
}

func (s *pluginStep) close() error {
	if c, ok := s.preprocessor.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("plugin %s: %w", s.step, err)
		}
	}
	return nil
}

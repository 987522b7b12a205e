package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"tkit/internal/preprocessing"
)

// Reason says in a word or two what is wrong with an image.
type Reason string

const (
	Empty         Reason = "empty"
	Unsupported   Reason = "unsupported format"
	Truncated     Reason = "truncated"
	Corrupt       Reason = "corrupt"
	TooManyPixels Reason = "too many pixels"
	// TooCostly is an image that would take far more work to decode than its
	// size says.
	TooCostly Reason = "too costly to decode"
	// Refused is a plugin's word on an image that it cannot use.
	Refused Reason = "refused"
	// PluginFault is an answer of a plugin that cannot be used: another shape
	// than its step says, or values that are no numbers. The image may be as
	// it should; a server does not blame its client for it.
	PluginFault Reason = "plugin fault"
)

// ImageError is the fault of one image, not of the machinery: the image can be
// set aside and the next one tried.
type ImageError struct {
	Reason Reason
	Err    error // the particulars; may be nil
}

// Error is the reason and the particulars, which may begin or end with the reason
// themselves: "truncated: the data ends at byte 512", "empty file".
func (e *ImageError) Error() string {
	reason := string(e.Reason)
	if e.Err == nil {
		return reason
	}
	if text := e.Err.Error(); strings.HasPrefix(text, reason) {
		return text
	}
	return reason + ": " + strings.TrimSuffix(e.Err.Error(), ": "+reason)
}

func (e *ImageError) Unwrap() error { return e.Err }

func imageErrorf(r Reason, format string, args ...any) error {
	return &ImageError{r, fmt.Errorf(format, args...)}
}

// faultOf classes what preprocessing or raster found.
func faultOf(err error) error {
	for sentinel, reason := range map[error]Reason{
		preprocessing.ErrEmpty:       Empty,
		preprocessing.ErrUnsupported: Unsupported,
		preprocessing.ErrTruncated:   Truncated,
		preprocessing.ErrVariant:     Unsupported,
		preprocessing.ErrTooCostly:   TooCostly,
	} {
		if errors.Is(err, sentinel) {
			return &ImageError{reason, err}
		}
	}
	return &ImageError{Corrupt, err}
}

package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"tkit/internal/preprocessing"
)

// Reason is a short description of the problem with an image.
type Reason string

const (
	Empty         Reason = "empty"
	Unsupported   Reason = "unsupported format"
	Truncated     Reason = "truncated"
	Corrupt       Reason = "corrupt"
	TooManyPixels Reason = "too many pixels"
	// TooCostly means that decoding an image would take far more work than its
	// size suggests.
	TooCostly Reason = "too costly to decode"
	// Refused means that a plugin rejected the image.
	Refused Reason = "refused"
	// PluginFault means that a plugin returned an unusable result: with a shape
	// other than its step requires, or with values that are not finite. The
	// image may be valid; a server does not report this as an error of its
	// client.
	PluginFault Reason = "plugin fault"
)

// ImageError is an error of one image: the image can be rejected and the next
// one processed.
type ImageError struct {
	Reason Reason
	Err    error // the details; may be nil
}

// Error returns the reason and the details, which may begin or end with the
// reason themselves: "truncated: the data ends at byte 512", "empty file".
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

// faultOf classifies errors of preprocessing and raster.
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

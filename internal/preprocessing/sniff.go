package preprocessing

import (
	"errors"
	"fmt"
)

// Format is an encoding of images.
type Format string

// The formats that tkit decodes.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	GIF  Format = "gif"
	BMP  Format = "bmp"
	WebP Format = "webp"
)

// Errors of Sniff and Check, for errors.Is.
var (
	// ErrEmpty: there are no bytes.
	ErrEmpty = errors.New("empty file")
	// ErrUnsupported: the bytes do not begin like any of the formats.
	ErrUnsupported = errors.New("not a jpeg, png, gif, bmp or webp image")
	// ErrTruncated: the bytes end before the image does.
	ErrTruncated = errors.New("truncated")
	// ErrCorrupt: the bytes violate the format.
	ErrCorrupt = errors.New("corrupt")
	// ErrVariant: a variant of a known format that no decoder here supports.
	ErrVariant = errors.New("unsupported format")
	// ErrTooCostly: decoding would take too much work for the size of the
	// image.
	ErrTooCostly = errors.New("too costly to decode")
)

// Sniff returns the format of an encoded image and its size in pixels from its
// header: it never decodes, its allocations do not depend on the input, and its
// time is at most linear in the headers' length. For a GIF the size is that of
// the screen, which no frame exceeds.
//
// b may be a prefix of the file that includes the header, which metadata in a
// JPEG may make long. The error wraps ErrEmpty, ErrUnsupported, ErrTruncated or
// ErrCorrupt; with the latter two the format is set.
func Sniff(b []byte) (format Format, width, height int, err error) {
	if len(b) == 0 {
		return "", 0, 0, ErrEmpty
	}
	format = formatOf(b)
	switch format {
	case JPEG:
		width, height, err = sniffJPEG(b)
	case PNG:
		width, height, err = sniffPNG(b)
	case GIF:
		width, height, err = sniffGIF(b)
	case BMP:
		width, height, err = sniffBMP(b)
	case WebP:
		width, height, err = sniffWebP(b)
	default:
		if name := foreign(b); name != "" {
			return "", 0, 0, fmt.Errorf("%w but %s", ErrUnsupported, name)
		}
		return "", 0, 0, ErrUnsupported
	}
	if err == nil && (width <= 0 || height <= 0) {
		err = fmt.Errorf("a size of %d×%d pixels: %w", width, height, ErrCorrupt)
	}
	if err != nil {
		return format, 0, 0, fmt.Errorf("%s: %w", format, err)
	}
	return format, width, height, nil
}

// AllPixels returns how many pixels an encoded image has in all its frames when a
// decoder of TensorFlow decodes it, or 0 if its size cannot be determined. It takes
// time linear in len(b).
func AllPixels(b []byte) int64 {
	if begins(b, "GIF8") { // TensorFlow does not check the version further
		return gifPixels(b)
	}
	_, width, height, err := Sniff(b)
	if err != nil {
		return 0
	}
	return int64(width) * int64(height)
}

// Check reports, without decoding, whether an encoded image is complete and may
// be decoded. It is complete if it ends as its format requires: a JPEG with its
// end marker, a PNG with IEND, a GIF with its trailer, a WebP and a BMP at
// their declared length. Bytes after the end are allowed, because some cameras
// append data. It may be decoded if the work is bounded by its size in pixels:
// the scans of a JPEG cover no component more than 100 times and, in total, no
// more samples than 32 times the pixels, or 2³¹ if that is more; the data of a
// PNG is long enough for its pixels and not split into very many chunks; and
// the Huffman codes of a lossless WebP take at most 256 MiB.
//
// It takes time linear in len(b). Accepted images can still fail to decode. The
// error wraps one of the errors above.
func Check(b []byte) error {
	if len(b) == 0 {
		return ErrEmpty
	}
	var err error
	format := formatOf(b)
	switch format {
	case JPEG:
		err = checkJPEG(b)
	case PNG:
		err = checkPNG(b)
	case GIF:
		err = checkGIF(b)
	case BMP:
		err = checkBMP(b)
	case WebP:
		err = checkWebP(b)
	default:
		return ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("%s: %w", format, err)
	}
	return nil
}

// formatOf checks only the signature, as decoders do.
func formatOf(b []byte) Format {
	switch {
	case begins(b, "\xff\xd8\xff"):
		return JPEG
	case begins(b, "\x89PNG\r\n\x1a\n"):
		return PNG
	case begins(b, "GIF87a"), begins(b, "GIF89a"):
		return GIF
	case len(b) >= 12 && begins(b, "RIFF") && string(b[8:12]) == "WEBP":
		return WebP
	case begins(b, "BM") && plausibleBMP(b):
		return BMP
	}
	return ""
}

// foreign identifies common files that are mistaken for images of the five
// formats, so that the error can say what a file is.
func foreign(b []byte) string {
	switch {
	case begins(b, "II*\x00"), begins(b, "MM\x00*"), begins(b, "II+\x00"), begins(b, "MM\x00+"):
		return "TIFF"
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		switch string(b[8:12]) {
		case "heic", "heix", "mif1", "hevc", "heim", "heis":
			return "HEIC"
		case "avif", "avis":
			return "AVIF"
		}
		return "a video"
	case len(b) >= 132 && string(b[128:132]) == "DICM":
		return "DICOM"
	case begins(b, "\x00\x00\x00\x0cjP  "), begins(b, "\xff\x4f\xff\x51"):
		return "JPEG 2000"
	case begins(b, "\xff\x0a"), begins(b, "\x00\x00\x00\x0cJXL "):
		return "JPEG XL"
	case begins(b, "%PDF"):
		return "PDF"
	case begins(b, "PK\x03\x04"):
		return "a ZIP archive"
	case begins(b, "<svg"), begins(b, "<?xml"):
		return "SVG or XML"
	case begins(b, "<!DOCTYPE"), begins(b, "<!doctype"), begins(b, "<html"):
		return "an HTML page"
	case begins(b, "version https://git-lfs"):
		return "a Git LFS pointer"
	}
	return ""
}

func begins(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

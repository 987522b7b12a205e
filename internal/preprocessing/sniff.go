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

// What Sniff and Check find wrong with a file, for errors.Is.
var (
	// ErrEmpty: there are no bytes.
	ErrEmpty = errors.New("empty file")
	// ErrUnsupported: the bytes do not begin as any of the formats does.
	ErrUnsupported = errors.New("not a jpeg, png, gif, bmp or webp image")
	// ErrTruncated: the bytes end before the image does.
	ErrTruncated = errors.New("truncated")
	// ErrCorrupt: the bytes contradict the format.
	ErrCorrupt = errors.New("corrupt")
	// ErrVariant: of one of the formats, in a variant that no decoder here reads.
	ErrVariant = errors.New("unsupported format")
	// ErrTooCostly: decoding would take too much work for the size of the image.
	ErrTooCostly = errors.New("too costly to decode")
)

// Sniff tells the format of an encoded image and its size in pixels from its
// header alone: it never decodes, allocates nothing that depends on the
// input, and takes time at most linear in the headers' length. For a GIF the
// size is that of the screen, which no frame exceeds.
//
// b may be a prefix of the file, if only it reaches past the header; metadata
// in front of a JPEG's can make that long. The error wraps ErrEmpty,
// ErrUnsupported, ErrTruncated or ErrCorrupt; with the latter two the format
// is set.
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

// Check tells, without decoding, whether an encoded image is whole and may be
// decoded. It is whole where it ends as its format says that it should: a JPEG
// at its end marker, a PNG at IEND, a GIF at its trailer, a WebP and a BMP at
// the length that they declare. Bytes after the end are allowed, as cameras
// append some. It may be decoded where the work is bounded by its size in
// pixels: a JPEG's scans pass over no component more than 100 times and, all
// together, over no more samples than 32 times the pixels, or 2³¹ where that is
// more; the data of a PNG is long enough for its pixels, and not in a great
// number of tiny chunks; and the Huffman codes of a lossless WebP take no more
// than 256 MiB.
//
// It takes time linear in len(b), and what it accepts can still fail to decode.
// The error wraps one of the errors above.
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

// formatOf goes by the signature, which is all that a decoder goes by too.
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

// foreign names some things that are mistaken for images of the five formats,
// so that the message can say what a file is and not only what it is not.
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

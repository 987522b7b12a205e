package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"tkit/inference"
	"tkit/serve"
)

// A media is the declared type of a body.
type media struct {
	kind       string // such as application/json; "" if none is declared
	parameters map[string]string
}

// mediaOf reads the Content-Type. A malformed one counts as none.
func mediaOf(r *http.Request) media {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return media{}
	}
	return media{kind, parameters}
}

func (m media) isJSON() bool {
	return m.kind == "application/json" || strings.HasSuffix(m.kind, "+json")
}

var mark = []byte("\xef\xbb\xbf") // the byte order mark of UTF-8

// jsonText returns the JSON text of a body, without the byte order mark that some
// programs write before it. The error says what the body is if it is not UTF-8.
func jsonText(body []byte, m media) ([]byte, error) {
	if charset := strings.ToLower(m.parameters["charset"]); charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii" {
		return nil, unsupported("the text is in %.50q, according to its Content-Type: JSON is UTF-8", charset)
	}
	if isGzip(body) {
		return nil, unsupported(packed)
	}
	if bytes.HasPrefix(body, []byte("\xff\xfe")) || bytes.HasPrefix(body, []byte("\xfe\xff")) {
		return nil, unsupported("the text begins with the byte order mark of UTF-16 or UTF-32: JSON is UTF-8")
	}
	if len(body) > 1 && (body[0] == 0 || body[1] == 0) {
		return nil, unsupported("the text looks like UTF-16 or UTF-32: JSON is UTF-8")
	}
	return bytes.TrimPrefix(body, mark), nil
}

// beginsAsObject reports whether a body begins like a JSON object. No image
// does.
func beginsAsObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, mark), " \t\r\n"), []byte("{"))
}

// notAnImage returns an error that says what a body is, if its first bytes show
// that it is not an encoded image. It returns nil if the body may be one.
func notAnImage(body []byte) error {
	begin := bytes.TrimLeft(bytes.TrimPrefix(body[:min(len(body), 256)], mark), " \t\r\n")
	lower := bytes.ToLower(begin)
	has := func(prefix string) bool { return bytes.HasPrefix(lower, []byte(prefix)) }
	const inJSON = `send the image's bytes, or {"image": {"b64": ...}}`
	switch {
	case isGzip(body):
		return unsupported(packed)
	case has("data:"):
		return unsupported("the body is a data: URI: " + inJSON)
	case bytes.HasPrefix(begin, []byte("/9j/")), bytes.HasPrefix(begin, []byte("iVBORw0KGgo")), bytes.HasPrefix(begin, []byte("R0lGOD")), bytes.HasPrefix(begin, []byte("UklGR")):
		return unsupported("the body is an image in base64: " + inJSON)
	case has("http://"), has("https://"), has("file://"):
		return unsupported("the body is the address of an image, and the server does not fetch images: " + inJSON)
	case has("<!doctype"), has("<html"), has("<?xml"), has("<svg"):
		return unsupported("the body is HTML, XML or SVG, which is not supported")
	case has("["), has(`"`):
		return &inference.Error{Reason: inference.BadRequest, Err: errors.New(`the body is JSON but not an object: want {"image": {"b64": ...}} or {"instances": [{"b64": ...}, ...]}`)}
	case has("image="), has("file="), has("b64="):
		return unsupported("the body is a form of type application/x-www-form-urlencoded: " + inJSON + ", or multipart/form-data")
	case has("--") && bytes.Contains(lower, []byte("content-disposition:")):
		return unsupported("the body is a form, but its Content-Type is not multipart/form-data with the boundary")
	}
	return nil
}

const packed = "the data is compressed by gzip: declare it in Content-Encoding, or send it uncompressed"

// isGzip reports whether a body begins like gzip data. Neither text nor an image
// does.
func isGzip(body []byte) bool { return bytes.HasPrefix(body, []byte("\x1f\x8b\x08")) }

// isImage reports whether a body begins like a common image format.
func isImage(body []byte) bool {
	return strings.HasPrefix(http.DetectContentType(body), "image/")
}

// decodeBase64 decodes base64 in either alphabet, with or without padding and line
// breaks, and in a data: URI.
func decodeBase64(text string) ([]byte, error) {
	if scheme, rest, ok := strings.Cut(text[:min(len(text), 256)], ":"); ok && strings.EqualFold(scheme, "data") {
		parameters, _, ok := strings.Cut(rest, ",")
		if !ok || !strings.HasSuffix(strings.ToLower(strings.TrimSpace(parameters)), ";base64") {
			return nil, errors.New("the data: URI is not in base64: want data:image/TYPE;base64,DATA")
		}
		text = text[len(scheme)+1+len(parameters)+1:]
	}
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		if strings.ContainsAny(text, "+/") {
			return nil, errors.New("the base64 mixes two alphabets: + and / with - and _")
		}
		encoding = base64.RawURLEncoding
	}
	data, err := encoding.DecodeString(text) // ignores line breaks
	if e, ok := errors.AsType[base64.CorruptInputError](err); ok {
		if at := int(e); at < len(text)-1 {
			return nil, fmt.Errorf("not base64: %q at byte %d", text[at:at+1], at)
		}
		return nil, errors.New("the base64 is incomplete, or ends in an invalid character")
	}
	return data, err
}

func unsupported(format string, args ...any) error {
	return &inference.Error{Reason: serve.UnsupportedMedia, Err: fmt.Errorf(format, args...)}
}

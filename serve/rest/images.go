package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"tkit/serve"
)

// An image is one encoded image of a request and the name of its file, where
// the request gave one.
type image struct {
	name string
	data []byte
}

// readImages takes the images out of a :classify-image request: the files of a
// multipart form, the images of a JSON object, or the body itself. A body whose
// type is neither multipart nor JSON is JSON if it begins like an object, as no
// image does: clients often leave the type to chance.
func readImages(w http.ResponseWriter, r *http.Request, l Limits) ([]image, error) {
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		body, err := limit(w, r, l.MaxBody)
		if err != nil {
			return nil, err
		}
		return readForm(multipart.NewReader(body, parameters["boundary"]), l.MaxImages)
	}
	body, err := readBody(w, r, l.MaxBody)
	if err != nil {
		return nil, err
	}
	isJSON := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if kind == "application/json" || isJSON {
		images, err := parseImages(body, l.MaxImages)
		if err != nil && serve.ReasonOf(err) == serve.Internal {
			err = &serve.Error{Reason: serve.BadRequest, Err: err}
		}
		return images, err
	}
	return []image{{data: body}}, nil
}

// readForm takes the parts of a form that are files, in order.
func readForm(form *multipart.Reader, most int) ([]image, error) {
	var images []image
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if part.FileName() == "" {
			continue
		}
		if len(images) == most {
			return nil, tooMany(most)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, bodyError(err)
		}
		images = append(images, image{part.FileName(), data})
	}
	if len(images) == 0 {
		return nil, &serve.Error{Reason: serve.BadRequest, Err: errors.New("the form holds no file")}
	}
	return images, nil
}

func tooMany(most int) error {
	return &serve.Error{Reason: serve.TooLarge, Err: fmt.Errorf("a request may hold %d images: send the others in another", most)}
}

// parseImages reads the JSON forms of a :classify-image:
//
//	{"image": {"b64": S}}
//	{"instances": [{"b64": S}, {"image": {"b64": S}}, ...]}
//
// An image's object may also have a "name", which the answer repeats. Other
// members of the request are passed over.
func parseImages(body []byte, most int) ([]image, error) {
	var images []image
	add := func(s *scanner) error {
		if len(images) == most {
			return tooMany(most)
		}
		i, err := parseImage(s, true)
		images = append(images, i)
		return err
	}
	s := &scanner{text: body}
	err := s.members(func(member string) error {
		switch member {
		case "image":
			return add(s)
		case "instances":
			return s.elements(func(int) error { return add(s) })
		}
		return s.skip(0)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && len(images) == 0 {
		err = errors.New(`the request holds no image: want {"image": {"b64": ...}} or {"instances": [{"b64": ...}, ...]}`)
	}
	return images, err
}

// parseImage takes an image's object; outer says that it may hold the image
// under "image".
func parseImage(s *scanner, outer bool) (image, error) {
	var i image
	found := false
	err := s.members(func(member string) error {
		switch {
		case (member == "b64" || member == "image" && outer) && found:
			return s.errorf("an image has %q once", member)
		case member == "b64":
			found = true
			text, err := s.string()
			if err != nil {
				return err
			}
			// Padding may be left out.
			i.data, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
			if err != nil {
				return s.errorf("%v", err)
			}
			return nil
		case member == "image" && outer:
			found = true
			inner, err := parseImage(s, false)
			i.data = inner.data
			if inner.name != "" {
				i.name = inner.name
			}
			return err
		case member == "name":
			var err error
			i.name, err = s.string()
			return err
		}
		return s.skip(0)
	})
	if err == nil && !found {
		err = s.errorf(`an image without "b64"`)
	}
	return i, err
}

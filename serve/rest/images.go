package rest

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"tkit/inference"
)

// An image is one encoded image of a request, with the name of its file if the
// request has one.
type image struct {
	name string
	data []byte
}

// readImages returns the images of a :classify-image request: the files of a
// multipart form, the images of a JSON object, or the body itself. Clients often
// send a wrong Content-Type. Therefore a body of any type except multipart is JSON
// if it begins with a brace, which no image does, and a body that is declared as
// JSON is an image if it begins like one.
func readImages(w http.ResponseWriter, r *http.Request, l Limits) ([]image, error) {
	m := mediaOf(r)
	if strings.HasPrefix(m.kind, "multipart/") {
		if m.kind != "multipart/form-data" {
			return nil, unsupported("the Content-Type %.50q is not supported: send multipart/form-data", m.kind)
		}
		if m.parameters["boundary"] == "" {
			return nil, &inference.Error{Reason: inference.BadRequest, Err: errors.New("the Content-Type multipart/form-data has no boundary")}
		}
		body, err := limit(w, r, l.MaxBody)
		if err != nil {
			return nil, err
		}
		return readForm(multipart.NewReader(body, m.parameters["boundary"]), l.MaxImages)
	}
	body, err := readBody(w, r, l.MaxBody)
	if err != nil {
		return nil, err
	}
	if beginsAsObject(body) || m.isJSON() && !isImage(body) {
		text, err := jsonText(body, m)
		if err != nil {
			return nil, err
		}
		images, err := parseImages(text, l.MaxImages)
		return images, asBadRequest(err)
	}
	return []image{{data: body}}, notAnImage(body)
}

// asBadRequest returns a parsing error with the reason BadRequest.
func asBadRequest(err error) error {
	if err == nil || inference.ReasonOf(err) != inference.Internal {
		return err
	}
	return &inference.Error{Reason: inference.BadRequest, Err: err}
}

// readForm returns the files of a form, in order.
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
			if part.FormName() == "top" {
				return nil, &inference.Error{Reason: inference.BadRequest, Err: errTop}
			}
			continue
		}
		if len(images) == most {
			return nil, tooMany(most)
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, bodyError(err)
		}
		if err := notAnImage(data); err != nil {
			return nil, &inference.RowError{Index: len(images), Err: err}
		}
		images = append(images, image{part.FileName(), data})
	}
	if len(images) == 0 {
		return nil, &inference.Error{Reason: inference.BadRequest, Err: errors.New("the form has no file: the part of a file must have a filename")}
	}
	return images, nil
}

var errTop = errors.New("the number of labels belongs in the query: ?top=N")

func tooMany(most int) error {
	return &inference.Error{Reason: inference.TooLarge, Err: fmt.Errorf("a request may have at most %d images: send the others in another request", most)}
}

// parseImages reads the JSON forms of a :classify-image:
//
//	{"image": {"b64": S}}
//	{"instances": [{"b64": S}, {"image": {"b64": S}}, ...]}
//
// An image's object may also have a "name", which the response repeats. Other
// members are ignored, as by TensorFlow Serving. "top", which belongs in the query,
// and a member that appears twice are errors.
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
	found := ""
	err := s.members(func(member string) error {
		switch member {
		case "image", "instances":
			if found != "" {
				return s.errorf("%q after %q: only one of them is allowed, once", member, found)
			}
			found = member
		}
		switch member {
		case "image":
			return add(s)
		case "instances":
			return s.elements(func(int) error { return add(s) })
		case "top":
			return errTop
		}
		return s.skip(0)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && len(images) == 0 {
		err = errors.New(`the request has no image: want {"image": {"b64": ...}} or {"instances": [{"b64": ...}, ...]}`)
	}
	return images, err
}

// parseImage reads the object of an image. If outer is set, the object may have the
// image as its member "image".
func parseImage(s *scanner, outer bool) (image, error) {
	var i image
	found, named := false, false
	err := s.members(func(member string) error {
		switch {
		case (member == "b64" || member == "image" && outer) && found:
			return s.errorf("an image must have %q once", member)
		case member == "b64":
			found = true
			text, err := s.string()
			if err != nil {
				return err
			}
			if i.data, err = decodeBase64(text); err != nil {
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
			if named {
				return s.errorf("an image must have %q once", member)
			}
			named = true
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

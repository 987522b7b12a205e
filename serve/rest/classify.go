package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tkit/inference"
)

// defaultTop is the default number of labels in a response.
const defaultTop = 5

// A classification is the response to :classify-image.
type classification struct {
	Model       string       `json:"model"`
	Version     int          `json:"version"`
	Predictions []prediction `json:"predictions"` // in the order of the images
	Timings     timings      `json:"timings_ms"`
}

type prediction struct {
	Name   string  `json:"name,omitempty"` // of the image, if the request has one
	Labels []label `json:"labels"`         // the most probable first
}

type label struct {
	Label       string  `json:"label"`
	Probability float32 `json:"probability"`
}

// timings are in milliseconds, as their name in the response says.
type timings struct {
	Decode float64 `json:"decode"`
	Queue  float64 `json:"queue"`
	Trunk  float64 `json:"trunk"`
	Head   float64 `json:"head"`
	Total  float64 `json:"total"`
}

// classify answers :classify-image.
func (h *handler) classify(w http.ResponseWriter, r *http.Request, q question) ([]byte, error) {
	if err := knownQuery(r, "top"); err != nil {
		return nil, err
	}
	top, err := parseTop(r.URL.Query())
	if err != nil {
		return nil, &inference.Error{Reason: inference.BadRequest, Err: err}
	}
	s, err := q.find(r.Context()) // before the body is read
	if err != nil {
		return nil, err
	}
	images, err := readImages(w, r, h.Limits)
	if err != nil {
		return nil, err
	}
	m := mediaOf(r)
	encoded := make([][]byte, len(images))
	for i, img := range images {
		encoded[i] = img.data
	}
	predictions, took, err := s.Classify(r.Context(), encoded)
	if err != nil {
		return nil, nameImage(nameMedia(err, m), images)
	}
	c := classification{
		Model: s.Model, Version: s.Number,
		Timings: timings{ms(took.Decode), ms(took.Queue), ms(took.Trunk), ms(took.Head), ms(time.Since(q.begun))},
	}
	for i, p := range predictions {
		one := prediction{Name: images[i].name}
		for _, l := range p.Top(top) {
			one.Labels = append(one.Labels, label(l))
		}
		c.Predictions = append(c.Predictions, one)
	}
	return json.Marshal(c)
}

func parseTop(query url.Values) (int, error) {
	if !query.Has("top") {
		return defaultTop, nil
	}
	text := query.Get("top")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("top=%.20q: want the number of labels, 1 or more", text)
	}
	return n, nil
}

// knownQuery refuses unknown and repeated parameters of a query: a misspelt parameter
// must not be ignored. A parameter whose name ends in [] may be repeated.
func knownQuery(r *http.Request, known ...string) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &inference.Error{Reason: inference.BadRequest, Err: errors.New("the query is malformed")}
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			return &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf("the query parameter %.50q is unknown; this address takes %s", name, cmp.Or(strings.Join(known, ", "), "none"))}
		}
		if len(given) > 1 && !strings.HasSuffix(name, "[]") {
			return &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf("the query has %q twice", name)}
		}
	}
	return nil
}

// nameMedia adds the request's Content-Type to the error of a body that is not an
// image.
func nameMedia(err error, m media) error {
	if inference.ReasonOf(err) == inference.UnsupportedImage && m.kind != "" && !strings.HasPrefix(m.kind, "multipart/") {
		return fmt.Errorf("%w; its Content-Type is %.50q", err, m.kind)
	}
	return err
}

// nameImage adds the name of the file to the error of a request with names.
func nameImage(err error, images []image) error {
	if row, ok := errors.AsType[*inference.RowError](err); ok && images[row.Index].name != "" {
		return fmt.Errorf("%s: %w", images[row.Index].name, err)
	}
	return err
}

// ms returns a duration in milliseconds, rounded to microseconds.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

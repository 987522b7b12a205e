package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tkit/internal/printable"
)

// A Digest is what one message tells: what has arrived since the last one.
type Digest struct {
	// ID is unique, and the same if the message comes again because it was not known to
	// be sent, as after a crash.
	ID       string    `json:"id"`
	Pipeline string    `json:"pipeline"`
	Images   int       `json:"images"`
	From     time.Time `json:"from"` // when the first of them arrived
	To       time.Time `json:"to"`
	Labels   []Count   `json:"labels"` // the most frequent first
	First    []Image   `json:"first"`  // some of the images
}

// A Count is the number of images with a label.
type Count struct {
	Label  string `json:"label"`
	Images int    `json:"images"`
}

// A Sender sends messages to people.
type Sender interface {
	// Send sends one message, and returns when the other side has accepted it. Its
	// errors contain no secrets.
	Send(ctx context.Context, d Digest) error
	Close()
}

// longest is the number of characters of a name or a label in a text.
const longest = 200

func (d Digest) subject() string {
	noun := "images"
	if d.Images == 1 {
		noun = "image"
	}
	return fmt.Sprintf("%s: %d new %s", d.Pipeline, d.Images, noun)
}

// text returns the digest for people. Names and labels come from outside.
func (d Digest) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, from %s to %s\n\n", d.subject(), d.From.Format(time.RFC3339), d.To.Format(time.RFC3339))
	for _, c := range d.Labels {
		fmt.Fprintf(&b, "%8d  %s\n", c.Images, orNone(c.Label))
	}
	if len(d.First) > 0 {
		b.WriteString("\n")
	}
	for _, i := range d.First {
		fmt.Fprintf(&b, "%s: %s", printable.Line(i.Source, longest), orNone(i.Label))
		if i.Label != "" {
			fmt.Fprintf(&b, " (%.3f)", i.Probability)
		}
		b.WriteString("\n")
	}
	if more := d.Images - len(d.First); more > 0 && len(d.First) > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String()
}

func orNone(label string) string {
	if label == "" {
		return "without a label"
	}
	return printable.Line(label, longest)
}

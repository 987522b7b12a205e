package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"tkit/ingest/deadletter"
	"tkit/ingest/status"
)

// A description is everything that the page shows of a pipeline.
type description struct {
	Status  summary             `json:"status"`
	Graph   string              `json:"graph"` // an SVG
	Recent  []status.Recent     `json:"recent"`
	Letters []deadletter.Letter `json:"letters"` // the last first
	// More is whether there are more dead letters.
	More   bool    `json:"more"`
	Replay *replay `json:"replay"` // the last one, or null
}

func (p *Page) describe(w http.ResponseWriter, r *http.Request) {
	s, ok := p.find(w, r)
	if !ok {
		return
	}
	view, err := status.ReadView(r.Context(), status.Folder(p.options.Home, s.Pipeline, s.Process))
	d := description{Status: summary{s, s.State()}, Recent: view.Recent}
	if err == nil {
		var svg strings.Builder
		err = view.Graph.WriteSVG(&svg, notes(s))
		d.Graph = svg.String()
	}
	if err == nil {
		d.Letters, d.More, err = letters(r.Context(), s.DeadLetters)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.mu.Lock()
	d.Replay = p.replays[s.Pipeline]
	p.mu.Unlock()
	answer(w, d)
}

// notes are the counts in the boxes of the graph.
func notes(s status.Status) map[string]string {
	all := make(map[string]string)
	for path, c := range s.Components {
		note := fmt.Sprint(c.Images)
		if c.Images > 0 && c.Seconds > 0 {
			note += fmt.Sprintf(" · %s ms", short(1000*c.Seconds/float64(c.Images)))
		}
		if c.Failed > 0 {
			note += fmt.Sprintf(" · %d failed", c.Failed)
		}
		all[path] = note
	}
	return all
}

// short returns a number with two or three digits.
func short(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

const (
	maxLetters = 50   // on the page
	mostRead   = 2000 // to find the last ones
)

// letters returns the last dead letters of a folder.
func letters(ctx context.Context, folder string) (last []deadletter.Letter, more bool, err error) {
	last = []deadletter.Letter{}
	if folder == "" {
		return last, false, nil // they are in a topic of Kafka
	}
	read := 0
	for l, err := range deadletter.OpenToRead(folder).Letters(ctx) {
		if read++; read > mostRead {
			more = true
			break
		}
		if err != nil {
			return nil, false, err
		}
		l.Metadata = nil
		last = append(last, l)
	}
	slices.SortFunc(last, func(a, b deadletter.Letter) int { return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.ID, b.ID)) })
	if len(last) > maxLetters {
		last, more = last[:maxLetters], true
	}
	return last, more, nil
}

// image answers with the content of a dead letter, as a file to download: it is not
// known to be an image, and must not be interpreted.
func (p *Page) image(w http.ResponseWriter, r *http.Request) {
	s, ok := p.find(w, r)
	if !ok {
		return
	}
	if s.DeadLetters == "" {
		http.Error(w, "the dead letters are in a topic of Kafka", http.StatusNotFound)
		return
	}
	content, l, err := deadletter.OpenToRead(s.DeadLetters).Find(r.Context(), r.PathValue("id"))
	if errors.Is(err, deadletter.ErrNotFound) {
		http.Error(w, "there is no such dead letter", http.StatusNotFound)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename*=UTF-8''%s", escapeName(filepath.Base(l.Source))))
	_, _ = w.Write(content)
}

// escapeName encodes a file name for a Content-Disposition (RFC 8187).
func escapeName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

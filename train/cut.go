package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tkit/internal/network"
	"tkit/train/head"
)

// ErrCut is wrapped by errors about the requested cut.
var ErrCut = errors.New("the cut")

// AutoCut selects the cut by cross-validation.
const AutoCut = "auto"

// CutTried is the result for one candidate.
type CutTried struct {
	network.Cut
	Width int `json:"width"` // of its bottleneck
	// Loss is the mean negative log-likelihood and Accuracy the share of
	// correct predictions on images that the head was not trained on.
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
	Chosen   bool    `json:"chosen,omitempty"`
}

// CutsTried lists the candidates compared for an automatic cut, from the base's
// input on.
type CutsTried struct {
	Candidates []CutTried `json:"candidates"`
	// Images is the number of images used for the comparison.
	Images int `json:"images"`
}

func (CutsTried) Name() string { return "cuts" }

// Limits of an automatic cut: the endpoints nearest to the output, with
// bottlenecks not so wide that training a head on them costs more than it
// gains.
const (
	maxEndpoints = 8
	maxWidth     = 4096
	maxCompared  = 1000
	// maxLayers bounds the bytes of all bottlenecks of a cut with PoolLayers,
	// which are several times as wide as others.
	maxLayers = 1 << 30
)

// candidates lists the cuts to compare: for each of the last endpoints, the
// mean of its map, the means over a grid, and the map itself, unless the
// bottleneck would be too wide; and for the last map that with the maxima of all
// maps, unless it would be too much for a number of images.
func candidates(n *network.Network, images int) ([]network.Cut, error) {
	ends, err := n.Endpoints()
	if err != nil {
		return nil, err
	}
	var known []network.Endpoint
	for _, e := range ends {
		if len(e.Shape) > 0 && !slices.ContainsFunc(e.Shape, func(d int64) bool { return d < 1 }) {
			known = append(known, e)
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("the base has no endpoint of a known shape to cut at")
	}
	if logits := known[len(known)-1]; len(known) > 1 && len(logits.Shape) == 1 {
		known = known[:len(known)-1] // the base's own classes
	}
	var cuts []network.Cut
	last, width := layers(ends)
	for _, e := range known[max(0, len(known)-maxEndpoints):] {
		cuts = append(cuts, pools(e)...)
		if e.Name == last && int64(images)*width*4 <= maxLayers {
			cuts = append(cuts, network.Cut{Endpoint: last, Pool: network.PoolLayers})
		}
	}
	return cuts, nil
}

// layers returns the last endpoint with a map, and the width of its bottleneck
// with PoolLayers. The name is "" if there is none, or not of known width.
func layers(ends []network.Endpoint) (last string, width int64) {
	var channels int64
	for _, e := range ends {
		if e.Shape == nil || len(e.Shape) == 3 && e.Shape[2] < 1 {
			return "", 0
		}
		if len(e.Shape) == 3 {
			last, channels = e.Name, e.Shape[2]
			width += channels
		}
	}
	return last, width + channels
}

func pools(e network.Endpoint) []network.Cut {
	if len(e.Shape) == 1 {
		return []network.Cut{{Endpoint: e.Name}}
	}
	if len(e.Shape) != 3 {
		return []network.Cut{{Endpoint: e.Name, Pool: network.PoolFlatten}}
	}
	h, w, c := e.Shape[0], e.Shape[1], e.Shape[2]
	cuts := []network.Cut{{Endpoint: e.Name, Pool: network.PoolAverage}}
	for _, grid := range []struct {
		side int64
		pool network.Pool
	}{{2, network.PoolGrid2}, {4, network.PoolGrid4}} {
		if h > grid.side && w > grid.side && grid.side*grid.side*c <= maxWidth {
			cuts = append(cuts, network.Cut{Endpoint: e.Name, Pool: grid.pool})
		}
	}
	if h*w > 1 && h*w*c <= maxWidth {
		cuts = append(cuts, network.Cut{Endpoint: e.Name, Pool: network.PoolFlatten})
	}
	return cuts
}

// choose compares the candidates using only the training images, by the loss of
// a head on held-out images. Among those within one percent of the best it
// prefers the last endpoint, nearest to the output, and of its pools the
// narrowest: this leaves the least work to the head.
func choose(ctx context.Context, cuts []network.Cut, widths []int64, train, validation head.Set, labels []string, o head.Options,
	progress func(done int, bytes int64)) (CutsTried, int, error) {
	tried := CutsTried{Images: train.Len() + validation.Len()}
	o.Progress = nil
	if o.Tolerance == 0 {
		o.Tolerance = 1e-4
	}
	if len(o.Penalties) == 0 {
		// A coarser grid of penalties ranks cuts equally well; the chosen cut
		// gets the fine grid.
		for i, p := range head.DefaultPenalties() {
			if i%2 == 0 {
				o.Penalties = append(o.Penalties, p)
			}
		}
	}
	from := 0
	for i, c := range cuts {
		width := int(widths[i])
		best, err := head.Assess(ctx, columns(train, from, width), columns(validation, from, width), labels, o)
		if errors.Is(err, head.ErrNothingHeldOut) {
			return tried, 0, fmt.Errorf("%w cannot be selected with so few images (%w): choose one, or use more training images", ErrCut, err)
		}
		if err != nil {
			return tried, 0, fmt.Errorf("cut %s: %w", c, err)
		}
		from += width
		tried.Candidates = append(tried.Candidates, CutTried{
			Cut: c, Width: width, Loss: best.Loss, Accuracy: best.Accuracy,
		})
		progress(i+1, 0)
	}
	chosen := preferred(tried.Candidates)
	tried.Candidates[chosen].Chosen = true
	return tried, chosen, nil
}

// preferred returns the index of the candidate that choose selects.
func preferred(tried []CutTried) int {
	least := math.Inf(1)
	for _, t := range tried {
		least = min(least, t.Loss)
	}
	chosen := -1
	for i, t := range tried {
		switch {
		case t.Loss > least*1.01:
		case chosen < 0, t.Endpoint != tried[chosen].Endpoint, t.Width < tried[chosen].Width:
			chosen = i
		}
	}
	return chosen
}

// columns returns consecutive features of every example.
func columns(s head.Set, from, width int) head.Set {
	out := head.Set{Dim: width, Labels: s.Labels, Groups: s.Groups, Features: make([]float32, 0, s.Len()*width)}
	for i := range s.Len() {
		out.Features = append(out.Features, s.Row(i)[from:from+width]...)
	}
	return out
}

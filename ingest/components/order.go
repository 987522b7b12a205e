package components

import (
	"github.com/warpstreamlabs/bento/public/bloblang"
	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
)

// orderStage is the stage of images whose key cannot be found.
const orderStage = "ordered_by"

// findKey finds the key of an image, in the order of whose images they are delivered.
// An image without one is delivered in any order.
func (d *delivery) findKey(p *parcel) {
	if d.run.OrderedBy == nil {
		return
	}
	key, err := keyOf(p.message, d.run.OrderedBy)
	switch {
	case err != nil:
		p.fault = &failure.Error{Stage: orderStage, Kind: failure.Lasting, Err: err}
	case key != nil:
		p.ordered, p.key = true, string(key)
	}
}

// keyOf returns the result of a mapping, nil for null and for a deleted root.
func keyOf(m *service.Message, mapping *bloblang.Executor) ([]byte, error) {
	result, err := m.BloblangQuery(mapping)
	if err != nil || result == nil {
		return nil, err
	}
	key, err := result.AsBytes()
	if string(key) == "null" { // the JSON of a missing value
		return nil, err
	}
	return key, err
}

// lineUp puts an image behind the earlier ones of its key, and reports whether there are
// none. The caller holds the lock.
func (d *delivery) lineUp(p *parcel) (first bool) {
	if !p.ordered {
		return true
	}
	waiting, busy := d.behind[p.key]
	if busy {
		waiting = append(waiting, p)
	}
	d.behind[p.key] = waiting
	return !busy
}

// nextOf returns the image that follows one that is done, or nil. The caller holds the
// lock.
func (d *delivery) nextOf(p *parcel) *parcel {
	if !p.ordered {
		return nil
	}
	waiting := d.behind[p.key]
	if len(waiting) == 0 {
		delete(d.behind, p.key)
		return nil
	}
	d.behind[p.key] = waiting[1:]
	return waiting[0]
}

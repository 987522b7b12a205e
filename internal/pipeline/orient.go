package pipeline

import (
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// reorient rotates or mirrors stored pixels, uint8 or float32 [height, width,
// channels], to the upright image.
func reorient(o preprocessing.Orientation, stored *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	shape := stored.Shape()
	h, w, c := int(shape[0]), int(shape[1]), int(shape[2])
	if o.Swaps() {
		shape[0], shape[1] = shape[1], shape[0]
	}
	result, err := tensorflow.NewTensor(stored.DataType(), shape...)
	if err != nil {
		return nil, err
	}
	// The stored pixel (y, x) goes to start + y·down + x·right.
	var start, down, right int
	switch row := int(shape[1]) * c; o {
	case preprocessing.Upright:
		start, down, right = 0, row, c
	case preprocessing.Mirrored:
		start, down, right = (w-1)*c, row, -c
	case preprocessing.HalfTurn:
		start, down, right = (h-1)*row+(w-1)*c, -row, -c
	case preprocessing.Flipped:
		start, down, right = (h-1)*row, -row, c
	case preprocessing.Transposed:
		start, down, right = 0, c, row
	case preprocessing.TurnRight:
		start, down, right = (h-1)*c, -c, row
	case preprocessing.Transverse:
		start, down, right = (w-1)*row+(h-1)*c, -c, -row
	case preprocessing.TurnLeft:
		start, down, right = (w-1)*row, c, -row
	}
	if stored.DataType() == tensorflow.Float32 {
		move(result.Float32(), stored.Float32(), h, w, c, start, down, right)
	} else {
		move(result.Uint8(), stored.Uint8(), h, w, c, start, down, right)
	}
	return result, nil
}

// move works tile by tile, so that the cache lines accessed with a stride by a
// quarter turn stay in the cache until they are complete.
func move[Sample uint8 | float32](to, from []Sample, h, w, c, start, down, right int) {
	const tile = 32
	for y0 := 0; y0 < h; y0 += tile {
		for x0 := 0; x0 < w; x0 += tile {
			for y := y0; y < min(y0+tile, h); y++ {
				src, dst := (y*w+x0)*c, start+y*down+x0*right
				for range min(tile, w-x0) {
					if c == 3 {
						to[dst], to[dst+1], to[dst+2] = from[src], from[src+1], from[src+2]
					} else {
						copy(to[dst:dst+c], from[src:src+c])
					}
					src, dst = src+c, dst+right
				}
			}
		}
	}
}

package preprocesstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"syscall"

	"tkit/plugins"
	"tkit/plugins/host"
)

// describes: the description is valid and constant, and so is its schema.
func (t *trial) describes() error {
	if err := t.description.Validate(); err != nil {
		return err
	}
	if again := t.Describe(); !reflect.DeepEqual(again, t.description) {
		return fmt.Errorf("it describes itself differently the second time: %+v and %+v", t.description, again)
	}
	t.note = fmt.Sprintf("%s takes %s, gives %s", t.description, t.description.Takes, t.description.Gives)
	return host.CheckSchema(t.description.ConfigSchema)
}

// configures: the configuration matches the schema, and a misspelt key is
// rejected.
func (t *trial) configures() error {
	if err := host.CheckConfig(t.description, t.Config); err != nil {
		return fmt.Errorf("%w; provide a configuration for the test", err)
	}
	if len(t.description.ConfigSchema) == 0 {
		return nil
	}
	members := map[string]any{}
	if len(t.Config) > 0 {
		if err := json.Unmarshal(t.Config, &members); err != nil {
			return err
		}
	}
	members["no-such-key"] = true
	misspelt, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if host.CheckConfig(t.description, misspelt) == nil {
		return errors.New("its schema accepts unknown keys, and so misspelt ones: set additionalProperties to false")
	}
	return nil
}

// shapes: batches of different numbers and sizes of images have the results
// that the description promises.
func (t *trial) shapes() error {
	for variant := range variants {
		for _, n := range []int{1, 2, 7} {
			in, err := t.batch(n, variant, uint64(variant))
			if err != nil {
				return err
			}
			if _, err := t.answer(in); err != nil {
				if t.description.Takes.Kind == plugins.Encoded && len(t.Samples) == 0 && refusal(err) {
					return fmt.Errorf("%w; if it takes neither JPEG nor PNG, provide samples", err)
				}
				return err
			}
		}
	}
	return nil
}

// keepsInput: the input batch is not modified.
func (t *trial) keepsInput() error {
	if t.Plugin != nil {
		t.skipped = "the memory of another process cannot be checked; the author's tests run this check in-process"
		return nil
	}
	in, err := t.batch(3, 0, 1)
	if err != nil {
		return err
	}
	before := copied(in)
	if _, err := t.answer(in); err != nil {
		return err
	}
	if !in.Equal(before) {
		return errors.New("it modifies its input batch: write to a new batch")
	}
	return nil
}

// singles: the result for an image does not depend on the other images of the
// batch.
func (t *trial) singles() error {
	if !t.description.Deterministic {
		t.skipped = "it is not declared deterministic"
		return nil
	}
	for variant := range variants {
		in, err := t.batch(5, variant, 2)
		if err != nil {
			return err
		}
		out, err := t.answer(in)
		if err != nil {
			return err
		}
		if t.varies() {
			continue // images of a batch may be padded to one size
		}
		for i := range in.Count {
			alone, err := t.answer(one(in, i))
			if err != nil {
				return fmt.Errorf("image %d alone: %w", i+1, err)
			}
			if !alone.Equal(one(out, i)) {
				return fmt.Errorf("%s: the result for image %d alone differs from the result in the batch", describe(in), i+1)
			}
		}
	}
	return nil
}

// varies reports whether the preprocessor chooses sizes for each batch.
func (t *trial) varies() bool {
	for _, side := range t.description.Gives.Shape {
		if side == plugins.Varies {
			return true
		}
	}
	return false
}

// repeats: equal batches have equal results, also in another process, whatever
// was processed in between.
func (t *trial) repeats() error {
	if !t.description.Deterministic {
		t.skipped = "it is not declared deterministic"
		return nil
	}
	in, err := t.batch(4, 0, 3)
	if err != nil {
		return err
	}
	first, err := t.answer(in)
	if err != nil {
		return err
	}
	first = copied(first)
	for round := range 5 {
		if round == 3 && t.Plugin != nil { // a new process is used
			for _, pid := range t.Plugin.PIDs() {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					return fmt.Errorf("end its process: %w", err)
				}
			}
		}
		other, err := t.batch(2, round, uint64(10+round))
		if err != nil {
			return err
		}
		if _, err := t.answer(other); err != nil {
			return err
		}
		again, err := t.answer(in)
		if err != nil {
			return err
		}
		if !again.Equal(first) {
			return errors.New("it is declared deterministic, but returns different results for equal batches: " +
				"they may depend on time, randomness, the order of a map, earlier batches or the number of threads")
		}
	}
	return nil
}

// badInput: an invalid image is reported by its index, and has no other effect.
func (t *trial) badInput() error {
	good, err := t.batch(1, 0, 4)
	if err != nil {
		return err
	}
	before, err := t.answer(good)
	if err != nil {
		return err
	}
	before = copied(before)
	for _, bad := range t.bad(good) {
		out, err := t.Process(t.ctx, t.Config, bad.batch)
		fault := (*plugins.ImageError)(nil)
		switch {
		case err == nil:
			if err := t.fits(bad.batch, out); err != nil {
				return fmt.Errorf("%s: %w", bad.what, err)
			}
		case errors.As(err, &fault) && fault.Image != bad.at:
			return fmt.Errorf("%s: it reports image %d (counted from 0), want %d", bad.what, fault.Image, bad.at)
		case fault == nil:
			return fmt.Errorf("%s: want an image error, or a result: %w", bad.what, err)
		}
	}
	after, err := t.answer(good)
	if err != nil {
		return fmt.Errorf("after bad input: %w", err)
	}
	if t.description.Deterministic && !after.Equal(before) {
		return errors.New("after bad input the result for a good batch differs")
	}
	return nil
}

type badBatch struct {
	what  string
	at    int // index of the bad image in the batch
	batch plugins.Batch
}

// bad returns batches of extreme and invalid images.
func (t *trial) bad(good plugins.Batch) []badBatch {
	if good.Kind == plugins.Encoded {
		encoded := func(what string, files ...[]byte) badBatch {
			return badBatch{what, len(files) - 1, plugins.Batch{Kind: plugins.Encoded, Count: len(files), Encoded: files}}
		}
		file := good.Encoded[0]
		damaged := append([]byte(nil), file...)
		for i := len(damaged) / 2; i < len(damaged); i += 3 {
			damaged[i] ^= 0x5a
		}
		return []badBatch{
			encoded("an empty file", nil),
			encoded("text", []byte("this is no image")),
			encoded("the first half of a file", file[:len(file)/2]),
			encoded("a damaged file", damaged),
			encoded("a good file beside text", file, []byte("this is no image")),
		}
	}
	constant := func(what string, shape [3]int, v float32) badBatch {
		b := plugins.NewBatch(good.Kind, 1, shape)
		for i := range b.Uint8 {
			b.Uint8[i] = uint8(min(255, max(0, v)))
		}
		for i := range b.Float32 {
			b.Float32[i] = v
		}
		return badBatch{what, 0, b}
	}
	all := []badBatch{constant("an image that is black all over", good.Shape, 0), constant("an image that is white all over", good.Shape, 255)}
	if good.Kind == plugins.Float32 {
		all = append(all, constant("an image of negative values", good.Shape, -1e4), constant("an image of huge values", good.Shape, math.MaxFloat32/4))
	}
	small, strip := good.Shape, good.Shape
	for i := range 2 {
		if t.description.Takes.Shape[i] == plugins.Any && t.Sides[i] == 0 {
			small[i] = 1
		}
	}
	if t.description.Takes.Shape[1] == plugins.Any && t.Sides[1] == 0 {
		strip[1] = 4001
	}
	return append(all, constant("an image of one pixel", small, 100), constant("a long strip", strip, 100))
}

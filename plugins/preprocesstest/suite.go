// Package preprocesstest is the suite that every preprocessor passes. An author
// runs it in a test:
//
//	func TestInvert(t *testing.T) { preprocesstest.Run(t, invert{}, preprocesstest.Options{}) }
//
// and `tkit plugins test` runs the same checks on a plugin that is built, in any
// language.
package preprocesstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tkit/plugins"
	"tkit/plugins/host"
)

// Options say what the checks need to know. The zero value does for a
// preprocessor that works without a configuration, on images of any size and,
// if it takes encoded ones, on JPEG or PNG.
type Options struct {
	// Config is the configuration to run with; without one, none.
	Config json.RawMessage
	// Samples are encoded images that it takes. Without any: a JPEG and a PNG.
	Samples [][]byte
	// Sides are height, width and channels of pixels where it takes any. A side
	// that is 0 is chosen, differently from one check to the next.
	Sides [3]int
	// Rounds is how many batches are sent to look for leaks. Zero: 300.
	Rounds int
	// Program is, for Run, the executable that is also run as a process.
	// Without one it is built from the package whose tests run.
	Program string
}

// Subject is what is tested.
type Subject struct {
	plugins.Preprocessor
	// Plugin is the preprocessor as a process of its own, with one process and
	// without audits; nil where it is tested within this one.
	Plugin *host.Plugin
	// Printed is, with Plugin, how many lines it has printed to standard output.
	Printed func() int
}

// Result is what came of one check.
type Result struct {
	Check string `json:"check"`
	// Skipped says why the check has no meaning here; "" where it was made.
	Skipped string `json:"skipped,omitempty"`
	// Note is worth knowing though nothing is wrong.
	Note string        `json:"note,omitempty"`
	Took time.Duration `json:"nanoseconds"`
	Err  error         `json:"-"`
	// Fault is Err in words.
	Fault string `json:"fault,omitempty"`
}

// check is one promise. It says what is wrong, in words for the author.
type check struct {
	name string
	run  func(*trial) error
}

// checks are in the order in which they teach most.
var checks = []check{
	{"description", (*trial).describes},
	{"configuration", (*trial).configures},
	{"shapes", (*trial).shapes},
	{"input unchanged", (*trial).keepsInput},
	{"batch equals singles", (*trial).singles},
	{"determinism", (*trial).repeats},
	{"bad input", (*trial).badInput},
	{"cancellation", (*trial).cancels},
	{"leaks", (*trial).leaks},
	{"standard output", (*trial).quiet},
	{"speed", (*trial).speed},
}

// Check makes all checks and tells of each as it is done. It says whether all
// were passed. The error is ctx's.
func Check(ctx context.Context, s Subject, o Options, tell func(Result)) (passed bool, err error) {
	if o.Rounds == 0 {
		o.Rounds = 300
	}
	passed = true
	for _, c := range checks {
		t := &trial{Subject: s, Options: o, ctx: ctx, description: s.Describe()}
		began := time.Now()
		err := t.guarded(c)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		r := Result{Check: c.name, Skipped: t.skipped, Note: t.note, Took: time.Since(began), Err: err}
		if err != nil {
			passed, r.Fault = false, err.Error()
		}
		tell(r)
	}
	return passed, nil
}

// trial is one check under way.
type trial struct {
	Subject
	Options
	ctx           context.Context
	description   plugins.Description
	skipped, note string
}

// guarded makes a check; a panic of the preprocessor's is its failure.
func (t *trial) guarded(c check) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panics: %v", r)
		}
	}()
	return c.run(t)
}

// answer has a batch processed and looks at what comes back.
func (t *trial) answer(in plugins.Batch) (plugins.Batch, error) {
	out, err := t.Process(t.ctx, t.Config, in)
	if err != nil {
		return out, fmt.Errorf("%s: %w", describe(in), err)
	}
	return out, t.fits(in, out)
}

func (t *trial) fits(in, out plugins.Batch) error {
	if err := t.description.Gives.Answers(in, out); err != nil {
		return fmt.Errorf("%s: it %w", describe(in), err)
	}
	if image, ok := out.Finite(); !ok {
		return fmt.Errorf("%s: image %d of the answer has a value that is not a finite number", describe(in), image+1)
	}
	return nil
}

// refusal says whether an error is the preprocessor's word on one image.
func refusal(err error) bool { return errors.As(err, new(*plugins.ImageError)) }

func describe(b plugins.Batch) string {
	if b.Kind == plugins.Encoded {
		return fmt.Sprintf("%d encoded images", b.Count)
	}
	return fmt.Sprintf("%d images of %d×%d×%d", b.Count, b.Shape[0], b.Shape[1], b.Shape[2])
}

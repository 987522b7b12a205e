// Package preprocesstest is the test suite for preprocessors. An author runs it
// in a test:
//
//	func TestInvert(t *testing.T) { preprocesstest.Run(t, invert{}, preprocesstest.Options{}) }
//
// `tkit plugins test` runs the same checks on a built plugin, in any language.
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

// Options configures the checks. The zero value suits a preprocessor without a
// required configuration that takes images of any size or, if it takes encoded
// ones, JPEG or PNG.
type Options struct {
	// Config is the configuration to use.
	Config json.RawMessage
	// Samples are encoded images that it takes. Default: a JPEG and a PNG.
	Samples [][]byte
	// Sides are height, width and channels for pixels if it accepts any. A side
	// of 0 is chosen differently for each check.
	Sides [3]int
	// Rounds is the number of batches for the leak check. Zero: 300.
	Rounds int
	// Program is, for Run, the executable that is also run as a process. By
	// default it is built from the package under test.
	Program string
}

// Subject is the preprocessor under test.
type Subject struct {
	plugins.Preprocessor
	// Plugin is the preprocessor as a separate process, with one process and
	// without audits; nil if it is tested in-process.
	Plugin *host.Plugin
	// Printed returns, with Plugin, the number of lines printed to standard
	// output.
	Printed func() int
}

// Result is the result of one check.
type Result struct {
	Check string `json:"check"`
	// Skipped says why the check does not apply; "" if it was made.
	Skipped string `json:"skipped,omitempty"`
	// Note is information about a passed check.
	Note string        `json:"note,omitempty"`
	Took time.Duration `json:"nanoseconds"`
	Err  error         `json:"-"`
	// Fault is the text of Err.
	Fault string `json:"fault,omitempty"`
}

// check is one promise of the contract. Its error is for the author.
type check struct {
	name string
	run  func(*trial) error
}

// checks are ordered so that the most informative come first.
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

// Check makes all checks, reports each when it is done, and returns whether all
// passed. The error is ctx's.
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

// trial is the state of a check.
type trial struct {
	Subject
	Options
	ctx           context.Context
	description   plugins.Description
	skipped, note string
}

// guarded makes a check; a panic of the preprocessor is a failure.
func (t *trial) guarded(c check) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it panics: %v", r)
		}
	}()
	return c.run(t)
}

// answer processes a batch and checks the result.
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
		return fmt.Errorf("%s: image %d of the result has a value that is not finite", describe(in), image+1)
	}
	return nil
}

// refusal reports whether an error is an image error of the preprocessor.
func refusal(err error) bool { return errors.As(err, new(*plugins.ImageError)) }

func describe(b plugins.Batch) string {
	if b.Kind == plugins.Encoded {
		return fmt.Sprintf("%d encoded images", b.Count)
	}
	return fmt.Sprintf("%d images of %d×%d×%d", b.Count, b.Shape[0], b.Shape[1], b.Shape[2])
}

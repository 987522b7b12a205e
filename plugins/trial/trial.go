// Package trial tests and measures plugins that are not installed.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"tkit/internal/inputfile"
	"tkit/plugins/host"
	"tkit/plugins/preprocesstest"
	"tkit/plugins/store"
)

// maxSample is the maximal size of a sample image, in bytes.
const maxSample = 256 << 20

// Options select the plugin and how to run it.
type Options struct {
	// Path is the plugin's executable, or the project of a Python plugin.
	Path string
	// Store configures how the packages of a Python plugin are installed.
	Store store.Options
	// Memory and Network are the limits of its processes, as in host.Config.
	Memory  int64
	Network bool
	// Suite configures the checks.
	Suite preprocesstest.Options
	// Log receives the plugin's output.
	Log slog.Handler
}

// Report is the result of Test.
type Report struct {
	Plugin      string                  `json:"plugin"`
	Digest      string                  `json:"digest"`
	Protections host.Protections        `json:"protections"`
	Passed      bool                    `json:"passed"`
	Checks      []preprocesstest.Result `json:"checks"`
}

// Failed counts the checks that failed.
func (r Report) Failed() int {
	n := 0
	for _, c := range r.Checks {
		if c.Err != nil {
			n++
		}
	}
	return n
}

// Err returns an error if checks failed.
func (r Report) Err() error {
	if r.Passed {
		return nil
	}
	return fmt.Errorf("%s fails %d of %d checks", r.Plugin, r.Failed(), len(r.Checks))
}

// Observer observes a Test. Its functions are called by Test's goroutine, and
// each may be nil.
type Observer struct {
	// Started is called once the plugin runs, with a report that has no checks.
	Started func(Report)
	// Checked is called after each check.
	Checked func(preprocesstest.Result)
}

// Test runs the checks of package preprocesstest on a plugin. A failing check
// is reported in the result, not as an error.
func Test(ctx context.Context, s store.Store, o Options, observe Observer) (r Report, err error) {
	err = o.try(ctx, s, func(t *store.Trial, open opener) (err error) {
		subject, err := preprocesstest.Start(ctx, open, o.Log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, subject.Plugin.Close()) }()
		r = Report{Plugin: subject.Describe().String(), Digest: t.Digest(), Protections: subject.Plugin.Protections()}
		if observe.Started != nil {
			observe.Started(r)
		}
		r.Passed, err = preprocesstest.Check(ctx, subject, o.Suite, func(one preprocesstest.Result) {
			r.Checks = append(r.Checks, one)
			if observe.Checked != nil {
				observe.Checked(one)
			}
		})
		return err
	})
	return r, err
}

// An opener starts the plugin with a configuration of its host.
type opener = func(host.Config) (*host.Plugin, error)

// try provides a copy of the plugin while do runs.
func (o Options) try(ctx context.Context, s store.Store, do func(*store.Trial, opener) error) (err error) {
	t, err := s.Try(ctx, o.Path, o.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	return do(t, func(c host.Config) (*host.Plugin, error) {
		c.Memory, c.Network = o.Memory, o.Network
		if c.Log == nil {
			c.Log = slog.New(o.Log)
		}
		return t.Open(ctx, c)
	})
}

// ParseConfig parses a plugin's configuration. An empty text means none.
func ParseConfig(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if json.Unmarshal([]byte(text), &map[string]json.RawMessage{}) != nil {
		return nil, fmt.Errorf("%q: want a JSON object", text)
	}
	return json.RawMessage(text), nil
}

// ParseSides parses height, width and channels, such as 224x224x3. An empty
// text leaves all of them open.
func ParseSides(text string) (sides [3]int, err error) {
	if text == "" {
		return sides, nil
	}
	end := ""
	n, _ := fmt.Sscanf(text+"\n", "%dx%dx%d%s", &sides[0], &sides[1], &sides[2], &end)
	if n != 3 || min(sides[0], sides[1], sides[2]) < 0 {
		return sides, fmt.Errorf("%q: want height, width and channels, such as 224x224x3", text)
	}
	return sides, nil
}

// ReadSamples reads the files of sample images.
func ReadSamples(ctx context.Context, paths []string) (samples [][]byte, err error) {
	for _, path := range paths {
		sample, err := inputfile.Read(ctx, path, maxSample)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample)
	}
	return samples, nil
}

// Package doctor describes the running program, and checks whether this machine has
// what it needs.
package doctor

import (
	"io"
	"runtime"
	"runtime/debug"

	"tkit/internal/present"
	"tkit/internal/tensorflow"
)

// Build describes the program that runs.
type Build struct {
	Version    string `json:"version"`
	Commit     string `json:"commit,omitempty"`   // of the source, if it was built in a checkout
	Modified   bool   `json:"modified,omitempty"` // the source differed from the commit
	Go         string `json:"go"`
	TensorFlow string `json:"tensorflow"` // the version of the libtensorflow that is loaded
	Platform   string `json:"platform"`
}

// Describe returns the description of the program of a version.
func Describe(version string) Build {
	b := Build{
		Version: version, Go: runtime.Version(), TensorFlow: tensorflow.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// WriteText writes the description as lines.
func (b Build) WriteText(w io.Writer) error {
	commit := b.Commit
	if b.Modified {
		commit += ", with changes"
	}
	return present.Pairs(w, [][2]string{
		{"tkit", b.Version}, {"commit", commit}, {"Go", b.Go}, {"libtensorflow", b.TensorFlow}, {"platform", b.Platform},
	})
}

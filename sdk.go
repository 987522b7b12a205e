// Package tkit is the source of the packages that the author of a plugin builds
// on, which the program carries so that `tkit plugins new` can hand it out: a
// plugin is then built against the very contract that this program speaks, and
// needs neither a checkout nor a place that serves modules named tkit.
package tkit

import "embed"

// SDK has the packages with their tests, and this module's go.mod and go.sum.
//
//go:embed go.mod go.sum internal/fuzztest/*.go internal/preprocessing/*.go internal/printable/*.go internal/spelling/*.go
//go:embed plugins/*.go plugins/internal plugins/proto plugins/host/*.go plugins/preprocesstest/*.go
var SDK embed.FS

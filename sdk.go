// Package tkit embeds the source of the packages that authors of plugins need.
// `tkit plugins new` copies it into a new project. So a plugin is built with
// exactly the contract of this program, and its author needs neither a checkout
// of tkit nor a server for the module tkit.
package tkit

import "embed"

// SDK has the packages with their tests, and this module's go.mod and go.sum.
//
//go:embed go.mod go.sum internal/fuzztest/*.go internal/preprocessing/*.go internal/printable/*.go internal/spelling/*.go
//go:embed plugins/*.go plugins/internal plugins/proto plugins/host/*.go plugins/preprocesstest/*.go
var SDK embed.FS

//go:build launcher

package launch

import _ "embed"

// carried is the launcher, which `make build` builds first. The name begins
// with "_" so that no go:embed of a folder includes it.
//
//go:embed _launcher
var carried []byte

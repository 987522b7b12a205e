package host

import (
	"errors"
	"os"

	"tkit/plugins/internal/launch"
)

// Sandbox returns the parts of the sandbox that a plugin has on this machine,
// without the network. It starts no plugin. An error means that none can be
// started.
func Sandbox() (p Protections, err error) {
	folder, err := os.MkdirTemp("", "tkit-sandbox-")
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	memory := Config{}.withDefaults().Memory
	return launch.Try(launch.Spec{Args: []string{"sandbox"}, Folder: folder, Memory: uint64(memory)})
}

// Package contract holds what both sides of the border between tkit and a
// plugin's process must say alike.
package contract

import "tkit/internal/preprocessing"

// Version is of the contract in plugins/proto. A process and a host that have
// none in common part with an error that names both.
const Version = 1

// Name is of the one service in a process.
const Name = "preprocessor"

// MemoryVariable tells a process which of its file descriptors is the memory
// that it shares with the host. Without it, all data go by gRPC.
const MemoryVariable = "TKIT_PLUGIN_MEMORY"

// What go-plugin prescribes.
const (
	Core                = 1                        // the version of its own protocol
	CertificateVariable = "PLUGIN_CLIENT_CERT"     // of the host that may call, as PEM
	SocketVariable      = "PLUGIN_UNIX_SOCKET_DIR" // where to listen
	HealthService       = "plugin"
)

// Cookie is a variable of the environment, with its value, that keeps people from
// starting a plugin by hand; it protects from nothing.
const (
	Cookie      = "TKIT_PLUGIN"
	CookieValue = Name
)

// Flow control of HTTP/2 with windows for whole batches, and messages no larger
// than a batch may be, with what is said of it.
const (
	Window     = 16 << 20
	Buffer     = 256 << 10
	MaxMessage = preprocessing.MaxBatchBytes + 16<<20
)

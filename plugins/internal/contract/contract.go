// Package contract holds what tkit and a plugin's process must agree on.
package contract

import "tkit/internal/preprocessing"

// Version is the version of the contract in plugins/proto. If a process and a
// host have no common version, they disconnect with an error that names both.
const Version = 1

// Name is the name of the only service in a process.
const Name = "preprocessor"

// MemoryVariable gives a process the file descriptor of the memory that it
// shares with the host. Without it, all data is sent by gRPC.
const MemoryVariable = "TKIT_PLUGIN_MEMORY"

// Prescribed by go-plugin.
const (
	Core                = 1                        // the version of its own protocol
	CertificateVariable = "PLUGIN_CLIENT_CERT"     // of the permitted host, as PEM
	SocketVariable      = "PLUGIN_UNIX_SOCKET_DIR" // where to listen
	HealthService       = "plugin"
)

// Cookie is an environment variable, with its value, that keeps users from
// starting a plugin by hand. It is not a protection.
const (
	Cookie      = "TKIT_PLUGIN"
	CookieValue = Name
)

// Flow control of HTTP/2 with windows for whole batches, and a message limit of
// a batch plus its metadata.
const (
	Window     = 16 << 20
	Buffer     = 256 << 10
	MaxMessage = preprocessing.MaxBatchBytes + 16<<20
)

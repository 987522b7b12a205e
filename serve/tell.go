package serve

import (
	"tkit/inference"
	"tkit/internal/printable"
)

// longest is the maximum length of an error for clients, in bytes: errors may
// repeat what the client sent.
const longest = 1000

// Tell returns the text that a client gets for a failed request. An internal error
// may contain paths and addresses of the server, so the client is only told that
// it happened; the error belongs in the server's log.
func Tell(err error) string {
	if inference.ReasonOf(err) == inference.Internal {
		return "internal server error; the server's log has the cause"
	}
	return Brief(err.Error())
}

// Brief returns text, which may repeat what a client sent, in a form for responses
// and logs: one printable line of limited length.
func Brief(text string) string { return printable.Line(text, longest) }

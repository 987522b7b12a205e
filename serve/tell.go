package serve

import (
	"errors"

	"tkit/internal/printable"
)

// longest is how many bytes of an error a client is told: errors may repeat what
// the client sent.
const longest = 1000

// Tell returns the text that a client gets for a failed request. For an internal
// error it says only that one happened: the error itself may name files and
// addresses of the server, and is for its log.
func Tell(err error) string {
	if ReasonOf(err) == Internal {
		return "the server met a fault and cannot answer; its log says which"
	}
	return Brief(err.Error())
}

// Brief makes a text that may repeat anything a client sent fit for answers and
// logs: one line, printable, and not too long.
func Brief(text string) string { return printable.Line(text, longest) }

// tellLoad returns the text that clients get for a version that did not load.
func tellLoad(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Reason != Internal {
		return Brief(e.Error()) // was written for clients
	}
	return "it cannot be loaded; the server's log says why"
}

package serve

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// longest is how many bytes of an error a client is told: errors may repeat what
// the client sent.
const longest = 1000

// Tell is what a client is told of a failed request. Of a defect or a failing
// machine that is only that it happened: the error may name files and addresses
// of the server, and is for its log.
func Tell(err error) string {
	if ReasonOf(err) == Internal {
		return "the server met a fault and cannot answer; its log says which"
	}
	return Brief(err.Error())
}

// Brief cuts a text that may hold anything a client sent to a length that
// answers and logs can bear, and makes it valid UTF-8.
func Brief(text string) string {
	if len(text) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// tellLoad is what clients are told of a version that did not load.
func tellLoad(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Reason != Internal {
		return Brief(e.Error()) // was written for clients
	}
	return "it cannot be loaded; the server's log says why"
}

package serve

import "tkit/inference"

// The reasons of requests that a server refuses before any model sees them.
const (
	UnsupportedMedia inference.Reason = "unsupported media type" // an encoding or type of the body
	Unauthenticated  inference.Reason = "unauthenticated"        // the caller is unknown
	Forbidden        inference.Reason = "forbidden"              // the caller has no permission
)

//go:build !launcher

package launch

// carried is nil: without the build tag, the program starts itself.
var carried []byte

// Package guard keeps a panic in a goroutine from ending the process. What an
// image, a file or a server's answer causes fails what it belongs to, and nothing
// else.
package guard

import (
	"fmt"
	"runtime/debug"
)

// Call calls f and returns its error. A panic in f is an error too, with the
// stack: it is a fault of this program, and has to be told.
func Call(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

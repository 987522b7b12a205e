// Package guard keeps a panic in a goroutine from ending the process. A panic
// caused by an image, a file or a server's answer becomes an error of the
// operation concerned.
package guard

import (
	"fmt"
	"runtime/debug"
)

// Call calls f and returns its error. A panic in f becomes an error with the
// stack: it is a bug in this program and must be reported.
func Call(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

package plugins

import (
	"fmt"
	"os"

	"tkit/plugins/internal/contract"
)

// Serve makes the program a plugin: it answers tkit until tkit ends it, and
// does not return. It is the last call in main. Nothing may be printed to
// standard output before it; later output, and all of standard error, goes to
// tkit's log.
func Serve(p Preprocessor) {
	d := p.Describe()
	if err := d.Validate(); err != nil {
		exit(fmt.Errorf("its description: %w", err))
	}
	if os.Getenv(contract.Cookie) != contract.CookieValue {
		exit(fmt.Errorf("%s is a plugin of tkit, which starts it: see `tkit plugins --help`", d))
	}
	s, err := newServer(p)
	if err == nil {
		err = s.serve()
	}
	if err != nil {
		exit(err)
	}
	os.Exit(0)
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "plugin:", err)
	os.Exit(1)
}

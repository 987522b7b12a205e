package tensorflow

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A process that loads libtensorflow writes nothing to standard error but its
// own output.
func TestLoadingIsSilent(t *testing.T) {
	const own = "TKIT_TEST_LOADING"
	if os.Getenv(own) != "" {
		fmt.Fprintln(os.Stderr, "own output")
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestLoadingIsSilent$")
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, logLevel+"=") })
	c.Env = append(c.Env, own+"=1")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	if said.String() != "own output\n" {
		t.Errorf("on standard error: %q", said.String())
	}
}

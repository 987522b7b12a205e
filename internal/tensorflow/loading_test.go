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

// A process that has libtensorflow says on standard error what it has to say and
// nothing else.
func TestLoadingSaysNothing(t *testing.T) {
	const own = "TKIT_TEST_LOADING"
	if os.Getenv(own) != "" {
		fmt.Fprintln(os.Stderr, "own words")
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestLoadingSaysNothing$")
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, logLevel+"=") })
	c.Env = append(c.Env, own+"=1")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	if said.String() != "own words\n" {
		t.Errorf("on standard error: %q", said.String())
	}
}

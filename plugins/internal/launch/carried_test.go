//go:build launcher

package launch

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// With the build tag, the embedded launcher is started, not this program.
func TestLauncherIsCarried(t *testing.T) {
	if len(carried) == 0 {
		t.Fatal("the program carries no launcher")
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd())); err != nil || !strings.HasPrefix(to, "/memfd:"+name) {
		t.Errorf("it starts %s, %v", to, err)
	}
	if env := programEnvironment(); env == nil || len(env) > 0 {
		t.Errorf("its environment is %q", env)
	}
}

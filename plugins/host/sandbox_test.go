package host_test

import (
	"testing"

	"tkit/plugins/host"
)

// What Sandbox says is what a plugin gets.
func TestSandbox(t *testing.T) {
	got, err := host.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, built.v1, host.Config{Processes: 1})
	if want := p.Protections(); got != want {
		t.Errorf("the sandbox is %+v, but a plugin has %+v", got, want)
	}
}

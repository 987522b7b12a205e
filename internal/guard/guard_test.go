package guard

import (
	"errors"
	"strings"
	"testing"
)

func TestCall(t *testing.T) {
	if err := Call(func() error { return nil }); err != nil {
		t.Error(err)
	}
	plain := errors.New("plain")
	if err := Call(func() error { return plain }); err != plain {
		t.Error(err)
	}
	err := Call(func() error {
		var list []int
		_ = list[len(list)]
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "panic: runtime error: index out of range") || !strings.Contains(err.Error(), "guard_test.go") {
		t.Error(err)
	}
}

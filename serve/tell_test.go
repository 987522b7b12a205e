package serve

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"tkit/internal/inference"
)

func TestTell(t *testing.T) {
	secret := errors.New("open /home/tkit/blobs: no such file")
	for _, test := range []struct {
		err  error
		want string
	}{
		{secret, "the server met a fault"},
		{fmt.Errorf("head: %w", &RowError{Index: 1, Err: secret}), "the server met a fault"},
		{&inference.ImageError{Reason: inference.PluginFault, Err: secret}, "the server met a fault"},
		{&Error{Reason: NotFound, Err: errors.New("model m is not served here")}, "model m is not served here"},
	} {
		if got := Tell(test.err); !strings.Contains(got, test.want) || strings.Contains(got, "blobs") {
			t.Errorf("%v: told %q", test.err, got)
		}
	}
	if got := tellLoad(fmt.Errorf("load m@1: %w", secret)); strings.Contains(got, "blobs") {
		t.Errorf("of a load is told %q", got)
	}
	for _, long := range []string{strings.Repeat("ü", 2000), "x" + strings.Repeat("ü", 2000), "\xff" + strings.Repeat("x", 5000)} {
		if got := Brief(long); len(got) > longest+8 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes, %q", len(got), got[len(got)-8:])
		}
	}
}

// TestBrief has a client's own text steer nothing where it is repeated.
func TestBrief(t *testing.T) {
	if got, want := Brief("model \x1b[2Jm\nforged\u202e"), `model \u001b[2Jm forged\u202e`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		values []float32
		want   int
	}{{nil, -1}, {[]float32{0, -1, math.MaxFloat32}, -1}, {[]float32{1, inf}, 1}, {[]float32{-inf}, 0}, {[]float32{2, 3, inf - inf}, 2}} {
		if got := notFinite(test.values); got != test.want {
			t.Errorf("%v: %d, want %d", test.values, got, test.want)
		}
	}
}

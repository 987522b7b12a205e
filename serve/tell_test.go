package serve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"tkit/inference"
	"tkit/internal/pipeline"
)

func TestTell(t *testing.T) {
	secret := errors.New("open /home/tkit/blobs: no such file")
	for _, test := range []struct {
		err  error
		want string
	}{
		{secret, "internal server error"},
		{fmt.Errorf("head: %w", &inference.RowError{Index: 1, Err: secret}), "internal server error"},
		{&pipeline.ImageError{Reason: pipeline.PluginFault, Err: secret}, "internal server error"},
		{&inference.Error{Reason: inference.NotFound, Err: errors.New("model m is not served here")}, "model m is not served here"},
	} {
		if got := Tell(test.err); !strings.Contains(got, test.want) || strings.Contains(got, "blobs") {
			t.Errorf("%v: told %q", test.err, got)
		}
	}
	for _, long := range []string{strings.Repeat("ü", 2000), "x" + strings.Repeat("ü", 2000), "\xff" + strings.Repeat("x", 5000)} {
		if got := Brief(long); len(got) > longest+8 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes, %q", len(got), got[len(got)-8:])
		}
	}
}

// TestBrief checks that a client's text controls no terminal where it is
// repeated.
func TestBrief(t *testing.T) {
	if got, want := Brief("model \x1b[2Jm\nforged\u202e"), `model \u001b[2Jm forged\u202e`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

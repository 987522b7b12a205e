package doctor_test

import (
	"runtime"
	"strings"
	"testing"

	"tkit/doctor"
)

func TestDescribe(t *testing.T) {
	b := doctor.Describe("1.2.3")
	if b.Version != "1.2.3" || b.Go != runtime.Version() || b.TensorFlow != "2.18.0" || b.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%+v", b)
	}
	b.Commit, b.Modified = "abc", true
	var text strings.Builder
	if err := b.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.2.3", "abc, with changes", "2.18.0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

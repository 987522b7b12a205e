package datasets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../internal/preprocessing/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// huge claims 30,000 × 30,000 pixels in a few bytes.
func huge() []byte {
	b := bytes.Clone(sourcetest.Picture(0))
	copy(b[16:], []byte{0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30})
	return b
}

func TestTakeSnapshot(t *testing.T) {
	p := sourcetest.Picture
	jpeg, webp := fixture(t, "progressive.jpg"), fixture(t, "lossy.webp")
	closed := errors.New("connection reset")
	src := of(
		memoryFile{key: "README.md", bytes: []byte("# hello")},
		memoryFile{key: "cat/01.jpg", bytes: jpeg},
		memoryFile{key: "cat/02.png", bytes: p(2)},
		memoryFile{key: "cat/03.png", bytes: p(2)},
		memoryFile{key: "cat/04.jpg", bytes: webp},
		memoryFile{key: "cat/05", bytes: p(5)},
		memoryFile{key: "cat/06.png"},
		memoryFile{key: "cat/07.jpg", bytes: jpeg[:len(jpeg)-20]},
		memoryFile{key: "cat/08.jpg", bytes: jpeg[:10]},
		memoryFile{key: "cat/09.png", bytes: huge()},
		memoryFile{key: "cat/10.png", bytes: []byte("<html>not found</html>")},
		memoryFile{key: "cat/11.png", open: &fs.PathError{Op: "open", Path: "11.png", Err: fs.ErrPermission}},
		memoryFile{key: "cat/12.png", bytes: p(12)[:8], read: closed},
		memoryFile{key: "cat/13.png", bytes: p(13)[:8], read: io.ErrUnexpectedEOF},
		memoryFile{key: "cat/14.png", open: fmt.Errorf("%w: it is a pipe", datasets.ErrRefused)},
		memoryFile{key: "cat/15.gif", bytes: append([]byte("GIF89a\x02\x00\x02\x00\x00\x00\x00"), 0x99)},
		memoryFile{key: "cat/16.png", bytes: p(100)},
		memoryFile{key: "cat/17.gif", bytes: p(100)},
		memoryFile{key: "dog/01.png", bytes: p(21)},
		memoryFile{key: "dog/02.png", bytes: p(100)},
		memoryFile{key: "emu/01.png"},
	)
	s, r := take(t, src)

	var used []string
	for _, e := range s.Entries {
		used = append(used, e.Key)
	}
	if got, want := strings.Join(used, " "), "cat/01.jpg cat/02.png cat/03.png cat/04.jpg cat/05 dog/01.png"; got != want {
		t.Errorf("used: %s, want %s", got, want)
	}
	var quarantined []string
	for _, q := range r.Quarantined {
		quarantined = append(quarantined, q.String())
	}
	want := []string{
		"README.md: unlabelled: it is not in a class folder",
		"cat/06.png: empty",
		"cat/07.jpg: truncated: jpeg: no end of image",
		"cat/08.jpg: truncated: jpeg: segment 0xe0 ends after the file",
		"cat/09.png: too many pixels: 30000×30000 is more than 67108864 pixels",
		"cat/10.png: not an image: not a jpeg, png, gif, bmp or webp image but an HTML page",
		"cat/11.png: denied: open 11.png: permission denied",
		"cat/12.png: unreadable: connection reset",
		"cat/13.png: unreadable: unexpected EOF",
		"cat/14.png: refused: it is a pipe",
		"cat/15.gif: corrupt: gif: unknown block 0x99",
		"cat/16.png: conflict: the same bytes are dog/02.png, labelled dog",
		"cat/17.gif: conflict: the same bytes are dog/02.png, labelled dog",
		"dog/02.png: conflict: the same bytes are cat/16.png, labelled cat",
		"emu/01.png: empty",
	}
	if got := strings.Join(quarantined, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("quarantined:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	equal(t, "classes", r.Classes, []datasets.ClassCount{{Label: "cat", Examples: 5, Quarantined: 12}, {Label: "dog", Examples: 1, Quarantined: 1}, {Label: "emu", Quarantined: 1}})
	equal(t, "imbalance", r.Imbalance, 5.0)
	equal(t, "misnamed", r.Misnamed, []datasets.Misnamed{{Key: "cat/04.jpg", Extension: ".jpg", Format: "webp"}})
	equal(t, "duplicates", r.Duplicates, [][]string{{"cat/02.png", "cat/03.png"}})
	equal(t, "conflicts", r.Conflicts, [][]string{{"cat/16.png", "cat/17.gif", "dog/02.png"}})
	equal(t, "digest", r.Digest, s.Digest)
	equal(t, "examples", r.Examples, 6)
	equal(t, "bytes", r.Bytes, int64(len(jpeg)+len(webp)+3*len(p(2))+len(p(21)))-int64(len(p(2))-len(p(5))))
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestTakeSnapshotFails(t *testing.T) {
	one := memoryFile{key: "a/1.png", bytes: sourcetest.Picture(1)}
	down := fmt.Errorf("%w: name node is gone", datasets.ErrUnavailable)
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		src  *memory
		want error
		text string
	}{
		{"listing fails", &memory{files: []memoryFile{one}, err: boom}, boom, "memory://test"},
		{"store fails at opening", of(one, memoryFile{key: "a/2.png", open: down}), datasets.ErrUnavailable, "a/2.png"},
		{"store fails at reading", of(one, memoryFile{key: "a/2.png", bytes: []byte("x"), read: down}), datasets.ErrUnavailable, "a/2.png"},
		{"out of order", of(memoryFile{key: "b/1.png", bytes: sourcetest.Picture(2)}, one), nil, `"a/1.png" comes after "b/1.png"`},
		{"twice", of(one, one), nil, "appears twice"},
		{"no key", of(memoryFile{key: ""}), nil, "without a key"},
		{"nothing", of(), datasets.ErrNoExamples, "one folder per class"},
		{"nothing usable", of(memoryFile{key: "x.png"}, memoryFile{key: "y.png"}), datasets.ErrNoExamples, "all 2 files are quarantined, the first is x.png: unlabelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r, err := datasets.TakeSnapshot(t.Context(), c.src, datasets.SnapshotOptions{Workers: 2})
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if s != nil || (r != nil) != errors.Is(err, datasets.ErrNoExamples) {
				t.Errorf("got the snapshot %v and the report %v", s, r)
			}
		})
	}
}

// The end of the context ends the snapshot even if readers hang, and no
// goroutine is left.
func TestTakeSnapshotCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	files := []memoryFile{{key: "a/0.png", bytes: sourcetest.Picture(1)}}
	for i := range 1000 {
		files = append(files, memoryFile{key: fmt.Sprintf("b/%04d.png", i), slow: make(chan bool)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := datasets.TakeSnapshot(ctx, of(files...), datasets.SnapshotOptions{
		Workers:  3,
		Progress: func(int, int64) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}

func TestProgress(t *testing.T) {
	var src memory
	var total int64
	for i := range 100 {
		b := sourcetest.Picture(i)
		total += int64(len(b))
		src.files = append(src.files, memoryFile{key: fmt.Sprintf("c%d/%04d.png", i/50, i), bytes: b})
	}
	calls, read := 0, int64(0)
	_, _, err := datasets.TakeSnapshot(t.Context(), &src, datasets.SnapshotOptions{Progress: func(done int, bytes int64) {
		if calls++; done != calls || bytes <= read {
			t.Errorf("call %d: %d done, %d bytes after %d", calls, done, bytes, read)
		}
		read = bytes
	}})
	if err != nil || calls != 100 || read != total {
		t.Errorf("%d calls, %d of %d bytes, %v", calls, read, total, err)
	}
}

func TestBounds(t *testing.T) {
	var long bytes.Buffer
	if err := bmp.Encode(&long, image.NewRGBA(image.Rect(0, 0, 1000, 700))); err != nil { // 2.1 MB: not read in one piece
		t.Fatal(err)
	}
	src := of()
	for i := range 3 {
		b := bytes.Clone(long.Bytes())
		b[len(b)-1] = byte(i)
		src.files = append(src.files, memoryFile{key: fmt.Sprintf("c/%d.bmp", i), bytes: b})
	}
	src.files = append(src.files, memoryFile{key: "c/a.png", bytes: sourcetest.Picture(1)})
	for _, c := range []struct {
		o     datasets.SnapshotOptions
		used  int
		check string
	}{
		{datasets.SnapshotOptions{}, 4, ""},
		{datasets.SnapshotOptions{MaxBytes: int64(long.Len())}, 4, ""},
		{datasets.SnapshotOptions{MaxBytes: int64(long.Len()) - 1}, 1, "too large: more than"},
		{datasets.SnapshotOptions{MaxBytes: 1000}, 1, "too large: more than 1000 bytes"},
		{datasets.SnapshotOptions{MaxPixels: 700_000}, 4, ""},
		{datasets.SnapshotOptions{MaxPixels: 699_999}, 1, "too many pixels: 1000×700"},
	} {
		s, r, err := datasets.TakeSnapshot(t.Context(), src, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Entries) != c.used || c.check != "" && !strings.Contains(r.Quarantined[0].String(), c.check) {
			t.Errorf("%+v: %d used, quarantined %v", c.o, len(s.Entries), r.Quarantined)
		}
	}
}

// Files for a plugin are accepted unexamined, except empty ones.
func TestAnyFile(t *testing.T) {
	src := of(
		memoryFile{key: "c/a.dcm", bytes: []byte("DICM")}, memoryFile{key: "c/b.jpg", bytes: []byte("raw")},
		memoryFile{key: "c/c.png", bytes: sourcetest.Picture(1)}, memoryFile{key: "c/d.dcm"},
	)
	s, r, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{AnyFile: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Entries) != 3 || len(r.Quarantined) != 1 || r.Quarantined[0].Reason != datasets.Empty || len(r.Misnamed) != 0 {
		t.Errorf("%d used, quarantined %v, misnamed %v", len(s.Entries), r.Quarantined, r.Misnamed)
	}
}

// The result does not depend on the number of workers.
func TestDeterministic(t *testing.T) {
	src := of()
	for i := range 120 {
		src.files = append(src.files, memoryFile{key: fmt.Sprintf("c%d/%04d.png", i/60, i), bytes: sourcetest.Picture(i%60*2/3 + i/60*100)})
	}
	var first string
	for _, workers := range []int{1, 2, 7, 64} {
		s, r, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		report, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Digest + string(report)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%d workers: got %s, want %s", workers, got, first)
		}
	}
}

func TestWithout(t *testing.T) {
	p := sourcetest.Picture
	s, r := take(t, of(
		memoryFile{key: "a/1.png", bytes: p(1)}, memoryFile{key: "a/2.png", bytes: p(1)}, memoryFile{key: "a/3.gif", bytes: p(3)},
		memoryFile{key: "b/1.png", bytes: p(4)}, memoryFile{key: "b/2.png"},
	))
	bad := map[string]string{"a/2.png": "bad checksum", "a/3.gif": "bad data", "z/9.png": "unknown"}
	s2, r2 := s.Without(bad), r.Without(s, bad)
	if len(s2.Entries) != 2 || len(s.Entries) != 4 || s2.Digest == s.Digest || s2.URI != s.URI {
		t.Errorf("%d entries of %d", len(s2.Entries), len(s.Entries))
	}
	equal(t, "digest", r2.Digest, s2.Digest)
	equal(t, "classes", r2.Classes, []datasets.ClassCount{{Label: "a", Examples: 1, Quarantined: 2}, {Label: "b", Examples: 1, Quarantined: 1}})
	equal(t, "quarantined", r2.Quarantined, "[a/2.png: undecodable: bad checksum a/3.gif: undecodable: bad data b/2.png: empty]")
	equal(t, "duplicates", len(r2.Duplicates), 0)
	equal(t, "misnamed", len(r2.Misnamed), 0)
	equal(t, "the old report's duplicates and misnamed", []int{len(r.Duplicates), len(r.Misnamed), len(r.Quarantined)}, []int{1, 1, 1})
	equal(t, "labels", s2.Labels(), []string{"a", "b"})
	if again := s.Without(nil); again.Digest != s.Digest {
		t.Error("without any keys the snapshot changes")
	}
}

// A panic over one example, or in the listing, becomes an error.
func TestPanics(t *testing.T) {
	one := func(open func(context.Context) (io.ReadCloser, error)) datasets.Source {
		return panicking{datasets.Example{Key: "a/1.png", Label: "a", Open: open}}
	}
	for words, src := range map[string]datasets.Source{
		"a/1.png: panic: in Open": one(func(context.Context) (io.ReadCloser, error) { panic("in Open") }),
		"panic: in the listing":   panicking{},
	} {
		if _, _, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %s", err, words)
		}
	}
}

// panicking lists its example, or panics if that has no key.
type panicking struct{ example datasets.Example }

func (p panicking) URI() string { return "panicking://" }

func (p panicking) Examples(context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		if p.example.Key == "" {
			panic("in the listing")
		}
		yield(p.example, nil)
	}
}

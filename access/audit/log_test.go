package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/internal/fuzztest"
)

// fileHead keeps the head in a file. Like the database, processes share it, and it
// stays intact if one of them is killed.
type fileHead string

func (h fileHead) Head(context.Context) (a Anchor, err error) {
	p := &a.Position
	a.Key = []byte("of the tests")
	raw, err := os.ReadFile(string(h))
	if errors.Is(err, os.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		_, err = fmt.Sscan(string(raw), &p.Sequence, &p.Hash)
	}
	return a, err
}

func (h fileHead) SetHead(_ context.Context, p Position) error {
	beside := fmt.Sprintf("%s.%d", h, os.Getpid())
	if err := os.WriteFile(beside, fmt.Append(nil, p.Sequence, " ", p.Hash), 0o600); err != nil {
		return err
	}
	return os.Rename(beside, string(h))
}

func openLog(t testing.TB, dir string) *Files {
	t.Helper()
	l, err := Open(filepath.Join(dir, "audit"), fileHead(filepath.Join(dir, "head")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(i int) Record {
	return Record{Who: "user:alice", Action: "train", Right: "train", Object: fmt.Sprintf("dataset:d%d", i), Outcome: Allowed, Reason: "grant 1 <allows>"}
}

// filled returns a log of n records, with few in each file.
func filled(t testing.TB, n int) (*Files, string) {
	t.Helper()
	dir := t.TempDir()
	l := openLog(t, dir)
	l.limit = 1000
	for i := range n {
		if err := l.Append(t.Context(), record(i)); err != nil {
			t.Fatal(err)
		}
	}
	return l, dir
}

func check(t *testing.T, l *Files, want ...string) Verification {
	t.Helper()
	v, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !slices.ContainsFunc(v.Problems, func(p Problem) bool { return strings.Contains(p.String(), w) }) {
			t.Errorf("nothing says %q: %v", w, v.Problems)
		}
	}
	if len(want) == 0 && len(v.Problems) > 0 {
		t.Errorf("found %v", v.Problems)
	}
	return v
}

func TestAppend(t *testing.T) {
	l, dir := filled(t, 20)
	v := check(t, l)
	names, err := files(l.dir)
	if err != nil || len(names) < 3 {
		t.Errorf("files: %v, %v", names, err)
	}
	if v.Records != 20 || v.Last.Sequence != 20 {
		t.Errorf("verified %+v", v)
	}
	// Another process continues at the end.
	if err := openLog(t, dir).Append(t.Context(), record(20)); err != nil {
		t.Fatal(err)
	}
	if v := check(t, l); v.Records != 21 {
		t.Errorf("verified %+v", v)
	}
	for _, n := range names {
		if info, err := os.Stat(filepath.Join(l.dir, n)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", n, info.Mode(), err)
		}
	}
}

// lines returns the lines of a file, with their ends.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(bytes.SplitAfter(raw, []byte("\n")), func(l []byte) bool { return len(l) == 0 })
}

func TestVerifyFinds(t *testing.T) {
	second := name(2)
	edit := func(change func([][]byte) [][]byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, second)
			if err := os.WriteFile(path, bytes.Join(change(lines(t, path)), nil), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		harm func(t *testing.T, dir string)
		want string
	}{
		{"a changed outcome", edit(func(l [][]byte) [][]byte {
			l[1] = bytes.Replace(l[1], []byte("allowed"), []byte("denied"), 1)
			return l
		}), "it was changed"},
		{"a removed record", edit(func(l [][]byte) [][]byte { return slices.Delete(l, 1, 2) }), "are missing"},
		{"two records swapped", edit(func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l }), "it was moved or inserted"},
		{"a repeated record", edit(func(l [][]byte) [][]byte { return append(l[:2:2], append([][]byte{l[1]}, l[2:]...)...) }), "it was moved or inserted"},
		{"a record of another chain", edit(func(l [][]byte) [][]byte {
			l[1] = bytes.Replace(l[1], []byte(`"prev":"`), []byte(`"prev":"00`), 1)
			return l
		}), "it was changed"},
		{"a line that is no record", edit(func(l [][]byte) [][]byte { l[1] = []byte("{}\n"); return l }), "not a record"},
		{"a key that is not a record's", edit(func(l [][]byte) [][]byte {
			l[1] = bytes.Replace(l[1], []byte(`"who"`), []byte(`"whom"`), 1)
			return l
		}), "not a record"},
		{"the first file removed", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, name(1)))) }, "the file before it is missing"},
		{"a file in the middle removed", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, second))) }, "are missing"},
		{"the last file removed", func(t *testing.T, dir string) {
			names, err := files(dir)
			must(t, err)
			must(t, os.Remove(filepath.Join(dir, names[len(names)-1])))
		}, "the end is missing"},
		{"the last record removed", func(t *testing.T, dir string) {
			names, err := files(dir)
			must(t, err)
			path := filepath.Join(dir, names[len(names)-1])
			l := lines(t, path)
			must(t, os.WriteFile(path, bytes.Join(l[:len(l)-1], nil), 0o600))
		}, "the end is missing"},
		{"the last record changed", func(t *testing.T, dir string) {
			names, err := files(dir)
			must(t, err)
			path := filepath.Join(dir, names[len(names)-1])
			l := lines(t, path)
			l[len(l)-1] = bytes.Replace(l[len(l)-1], []byte("alice"), []byte("mallory"), 1)
			must(t, os.WriteFile(path, bytes.Join(l, nil), 0o600))
		}, "not the one that was noted"},
		{"the end cut within a line", func(t *testing.T, dir string) {
			names, err := files(dir)
			must(t, err)
			path := filepath.Join(dir, names[len(names)-1])
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()-10))
		}, "no end"},
		{"all of it removed", func(t *testing.T, dir string) {
			names, err := files(dir)
			must(t, err)
			for _, n := range names {
				must(t, os.Remove(filepath.Join(dir, n)))
			}
		}, "the end is missing"},
		{"records put in at the end", func(t *testing.T, dir string) {
			head, err := fileHead(filepath.Join(filepath.Dir(dir), "head")).Head(t.Context())
			must(t, err)
			elsewhere := fileHead(filepath.Join(t.TempDir(), "head"))
			must(t, elsewhere.SetHead(t.Context(), head.Position))
			forger := Files{dir: dir, head: elsewhere, limit: fileSize, lock: openLog(t, t.TempDir()).lock}
			for i := range 2 {
				must(t, forger.Append(t.Context(), record(i)))
			}
		}, "were not written by tkit"},
		{"one record put in at the end", func(t *testing.T, dir string) { forge(t, dir, []byte("a guess")) }, "no seal"},
		{"one record put in at the end without a seal", func(t *testing.T, dir string) { forge(t, dir, nil) }, "no seal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := filled(t, 12)
			c.harm(t, l.dir)
			check(t, l, c.want)
			// Later records do not hide it.
			must(t, l.Append(t.Context(), record(99)))
			if v := check(t, l, ""); len(v.Problems) == 0 {
				t.Error("one more record hid it")
			}
		})
	}
}

// forge appends a record that fits the chain, sealed with another key than the log's,
// or without a seal.
func forge(t *testing.T, dir string, key []byte) {
	t.Helper()
	head, err := fileHead(filepath.Join(filepath.Dir(dir), "head")).Head(t.Context())
	must(t, err)
	names, err := files(dir)
	must(t, err)
	r := record(66)
	r.Sequence, r.Previous, r.At = head.Sequence+1, head.Hash, time.Now().UTC()
	head.Key = key
	line, err := r.encode(head)
	must(t, err)
	if key == nil {
		line = append(line[:bytes.Index(line, []byte(sealBegins))], "}\n"...)
	}
	f, err := os.OpenFile(filepath.Join(dir, names[len(names)-1]), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write(line)
	must(t, errors.Join(err, f.Close()))
}

// Compare distinguishes a log that is missing or ahead of its database from one left
// by a crash or a forger.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, l *Files, before Anchor)
		want error
	}{
		"as it is":          {func(*testing.T, *Files, Anchor) {}, nil},
		"a crash":           {func(t *testing.T, l *Files, _ Anchor) { crash(t, l) }, nil},
		"forged":            {func(t *testing.T, l *Files, _ Anchor) { forge(t, l.dir, nil); forge(t, l.dir, nil) }, nil},
		"an older database": {func(t *testing.T, l *Files, before Anchor) { must(t, l.head.SetHead(t.Context(), before.Position)) }, ErrAhead},
		"missing": {func(t *testing.T, l *Files, _ Anchor) {
			names, err := files(l.dir)
			must(t, err)
			for _, n := range names {
				must(t, os.Remove(filepath.Join(l.dir, n)))
			}
		}, ErrMissing},
		"emptied": {func(t *testing.T, l *Files, _ Anchor) {
			names, err := files(l.dir)
			must(t, err)
			for _, n := range names {
				must(t, os.Truncate(filepath.Join(l.dir, n), 0))
			}
		}, ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := filled(t, 12)
			before, err := l.head.Head(t.Context())
			must(t, err)
			for i := range 3 {
				must(t, l.Append(t.Context(), record(i)))
			}
			c.harm(t, l, before)
			if err := l.Compare(t.Context()); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("compared: %v, want %v", err, c.want)
			}
			if c.want == nil {
				return
			}
			must(t, l.Accept(t.Context(), record(77)))
			if err := l.Compare(t.Context()); err != nil {
				t.Errorf("accepted, and compared: %v", err)
			}
			if v, err := l.Verify(t.Context()); err != nil || (len(v.Problems) == 0) != errors.Is(c.want, ErrAhead) {
				t.Errorf("verified: %v, %v", v.Problems, err)
			}
		})
	}
}

// A database that has written nothing does not belong to a log that was sealed with
// another database.
func TestCompareWithAnotherDatabase(t *testing.T) {
	l, dir := filled(t, 3)
	must(t, l.Close())
	must(t, os.Remove(filepath.Join(dir, "head")))
	other, err := Open(filepath.Join(dir, "audit"), emptyHead{})
	must(t, err)
	defer other.Close()
	if err := other.Compare(t.Context()); !errors.Is(err, ErrAhead) {
		t.Errorf("compared: %v", err)
	}
}

// An emptyHead is the head of a database that has written nothing.
type emptyHead struct{}

func (emptyHead) Head(context.Context) (Anchor, error)    { return Anchor{Key: []byte("another")}, nil }
func (emptyHead) SetHead(context.Context, Position) error { return errors.New("read only") }

// crash appends a record but does not store the head.
func crash(t *testing.T, l *Files) {
	t.Helper()
	before, err := l.head.Head(t.Context())
	must(t, err)
	must(t, l.Append(t.Context(), record(3)))
	must(t, l.head.SetHead(t.Context(), before.Position))
}

// Records from before there was a key have no seal, and later ones have one.
func TestUnsealed(t *testing.T) {
	a := Anchor{Key: []byte("key"), Unsealed: 2}
	for sequence, want := range map[int64]bool{1: true, 2: true, 3: false} {
		r := record(1)
		r.Sequence, r.At = sequence, time.Now().UTC()
		if sequence > 1 {
			r.Previous = "00"
		}
		line, err := r.encode(a)
		must(t, err)
		sealed := bytes.TrimSuffix(line, []byte("\n"))
		parsed, err := parseRecord(sealed)
		must(t, err)
		if !a.genuine(parsed, sealed) {
			t.Errorf("record %d as it was written is not genuine", sequence)
		}
		open := append(bytes.Clone(sealed[:bytes.Index(sealed, []byte(sealBegins))]), '}')
		if parsed, err = parseRecord(open); err != nil || a.genuine(parsed, open) != want {
			t.Errorf("record %d without a seal: genuine is not %t, %v", sequence, want, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A chain that was made again, with its head, differs from a position that was noted
// elsewhere.
func TestVerifyAgainstANotedPosition(t *testing.T) {
	l, _ := filled(t, 5)
	noted := check(t, l).Last
	forged, _ := filled(t, 5)
	v, err := forged.Verify(t.Context(), noted)
	if err != nil || len(v.Problems) == 0 {
		t.Errorf("found %v, %v", v.Problems, err)
	}
	if v, err := l.Verify(t.Context(), noted); err != nil || len(v.Problems) > 0 {
		t.Errorf("found %v, %v", v.Problems, err)
	}
}

// A crash between writing a record and its head, or within a record, is not a
// problem.
func TestCrash(t *testing.T) {
	l, _ := filled(t, 3)
	crash(t, l)
	check(t, l)
	must(t, l.Append(t.Context(), record(4)))
	if v := check(t, l); v.Records != 5 {
		t.Errorf("%d records", v.Records)
	}
	names, err := files(l.dir)
	must(t, err)
	f, err := os.OpenFile(filepath.Join(l.dir, names[len(names)-1]), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"seq":6,"pre`)
	must(t, errors.Join(err, f.Close()))
	must(t, l.Append(t.Context(), record(5)))
	if v := check(t, l); v.Records != 6 {
		t.Errorf("%d records", v.Records)
	}
}

// stuckHead is a head that cannot be written, as on a full disk.
type stuckHead struct{ fileHead }

var errStuck = errors.New("no space left")

func (stuckHead) SetHead(context.Context, Position) error { return errStuck }

// If the head cannot be stored, no action begins, and the log stays intact, however
// often that is tried.
func TestHeadCannotBeKept(t *testing.T) {
	l, _ := filled(t, 3)
	head := l.head
	l.head = stuckHead{head.(fileHead)}
	for range 3 {
		if err := l.Append(t.Context(), record(3)); !errors.Is(err, errStuck) {
			t.Fatalf("appended: %v", err)
		}
	}
	check(t, l)
	l.head = head
	must(t, l.Append(t.Context(), record(4)))
	check(t, l)
}

// Several processes append to one log, which stays intact if they are killed.
func TestProcesses(t *testing.T) {
	if dir := os.Getenv("TKIT_TEST_AUDIT"); dir != "" {
		l := openLog(t, dir)
		for i := 0; ; i++ {
			if err := l.Append(t.Context(), record(i)); err != nil {
				t.Fatal(err)
			}
			fmt.Println("appended")
		}
	}
	dir := t.TempDir()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			c := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
			c.Env = append(os.Environ(), "TKIT_TEST_AUDIT="+dir)
			out, err := c.StdoutPipe()
			if err != nil || c.Start() != nil {
				t.Errorf("no process: %v", err)
				return
			}
			for b, n := make([]byte, len("appended\n")), 0; n < 30; n++ {
				if _, err := out.Read(b); err != nil {
					t.Error(err)
					break
				}
			}
			c.Process.Kill()
			c.Wait()
		})
	}
	wait.Wait()
	l := openLog(t, dir)
	must(t, l.Append(t.Context(), record(0)))
	if v := check(t, l); v.Records < 80 {
		t.Errorf("%d records", v.Records)
	}
}

func TestAppendObeysItsContext(t *testing.T) {
	l, dir := filled(t, 1)
	other := openLog(t, dir)
	unlock, err := other.hold(t.Context(), 2)
	must(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, record(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, r := range []Record{{Sequence: 1, Who: "user:a", Action: "train", Outcome: Allowed}, {Sequence: 2, Previous: "aa", Outcome: Denied, Data: []string{"x"}}} {
		line, err := r.encode(Anchor{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSpace(line))
	}
	f.Add([]byte(`{"seq":1,"outcome":"allowed"} {}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		defer fuzztest.Watch(t, len(line))()
		r, err := parseRecord(line)
		if err != nil {
			return
		}
		a := Anchor{Key: []byte("of another home than the seeds'")}
		if a.genuine(r, line) {
			t.Errorf("%s is genuine", line)
		}
		again, err := r.encode(a)
		if err != nil {
			t.Fatal(err)
		}
		again = bytes.TrimSpace(again)
		if r, err := parseRecord(again); err != nil || !a.genuine(r, again) {
			t.Errorf("%s became %s: %v", line, again, err)
		}
	})
}

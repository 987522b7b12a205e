package manifest_test

import (
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	utf16codes "unicode/utf16"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/local"
	"tkit/datasets/manifest"
	"tkit/datasets/sourcetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, b, 0o644))
}

func open(t testing.TB, root, name string) datasets.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: root})
	must(t, err)
	return manifest.New(tree, manifest.Config{Path: name})
}

// rows is the content of a manifest: labels by path.
type rows map[string]string

func (r rows) csv(t testing.TB) []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	must(t, w.Write([]string{"label", "camera", "path"}))
	keys := slices.Sorted(maps.Keys(r))
	slices.Reverse(keys) // any order is allowed
	for _, key := range keys {
		must(t, w.Write([]string{r[key], "7", key}))
	}
	w.Flush()
	must(t, w.Error())
	return []byte(b.String())
}

func (r rows) json(t testing.TB) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	for key, label := range r {
		must(t, e.Encode(map[string]any{"path": key, "label": label, "camera": 7}))
	}
	return []byte(b.String())
}

func TestSource(t *testing.T) {
	for name, encode := range map[string]func(rows, testing.TB) []byte{"list of #1.csv": rows.csv, "list.jsonl": rows.json} {
		t.Run(filepath.Ext(name), func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T, stored []sourcetest.File) sourcetest.Fixture {
				root := t.TempDir()
				path := func(key string) string { return filepath.Join(root, filepath.FromSlash(key)) }
				listed := make(rows)
				list := func() { write(t, path(name), encode(listed, t)) }
				put := func(f sourcetest.File) {
					write(t, path(f.Key), f.Bytes)
					listed[f.Key] = f.Label
				}
				for _, f := range stored {
					put(f)
				}
				list()
				if len(stored) == 0 && strings.HasSuffix(name, "l") {
					write(t, path(name), []byte("\n"))
				}
				return sourcetest.Fixture{
					Source: open(t, root, name),
					Reopen: all.Open,
					Put:    func(f sourcetest.File) { put(f); list() },
					Remove: func(key string) {
						must(t, os.Remove(path(key)))
						delete(listed, key)
						list()
					},
					Deny: func(key string) {
						outside := filepath.Join(t.TempDir(), "outside.png")
						write(t, outside, sourcetest.Picture(1))
						must(t, os.Remove(path(key)))
						must(t, os.Symlink(outside, path(key)))
					},
				}
			})
		})
	}
}

// lines lists a manifest with the given text as "key label group split".
func lines(t *testing.T, name, text string) ([]string, error) {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, name), []byte(text))
	var out []string
	for e, err := range open(t, root, name).Examples(t.Context()) {
		if err != nil {
			return out, err
		}
		out = append(out, strings.Join([]string{e.Key, e.Label, e.Group, e.Split}, " "))
	}
	return out, nil
}

func TestForms(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain.csv", "path,label\nb,1\na,0\n", "a 0  |b 1  "},
		{"all.csv", "path,label,group,split\na,0,g,train\nb,1,,TEST\nc,1,h,val\n", "a 0 g train|b 1  test|c 1 h validation"},
		{"mark.csv", "\ufeffpath,label\na,0\n", "a 0  "},
		{"mark.jsonl", "\ufeff{\"path\":\"a\",\"label\":\"0\"}\n", "a 0  "},
		{"crlf.csv", "Path, Label \r\na,0\r\n", "a 0  "},
		{"quoted.csv", "path,label\n\"a,\"\"b\nc\",0\n", "a,\"b\nc 0  "},
		{"header.csv", "path,label\n", ""},
		{"no end.csv", "path,label\na,0", "a 0  "},
		{"dots.csv", "path,label\n././/a,0\n", "a 0  "},
		{"numbers.jsonl", `{"path":"a","label":3,"group":17,"split":"train"}` + "\n\n" + `{"path":"b","label":"x","more":[1]}`, "a 3 17 train|b x  "},
		{"unlabelled.csv", "path,label\na,\n", "a   "},
		{"utf16.csv", utf16("\ufeffpath,label\r\na,café\r\n", binary.LittleEndian), "a café  "},
		{"utf16be.csv", utf16("\ufeffpath,label\na,猫\n", binary.BigEndian), "a 猫  "},
		{"utf16 without mark.csv", utf16("path,label\na,thé\n", binary.LittleEndian), "a thé  "},
		{"utf16be without mark.jsonl", utf16(`{"path":"a","label":"thé"}`, binary.BigEndian), "a thé  "},
	} {
		got, err := lines(t, c.name, c.text)
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

// utf16 encodes a text.
func utf16(text string, order binary.AppendByteOrder) string {
	var b []byte
	for _, unit := range utf16codes.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none.csv", "", "it is empty"},
		{"none.jsonl", "", "it is empty"},
		{"columns.csv", "file,class\na,0\n", `no column "path", only "file,class"`},
		{"semicolons.csv", "path;label\na;0\n", "separated by commas"},
		{"twice.csv", "path,label,label\na,0,0\n", `"label" twice`},
		{"fields.csv", "path,label\na,0\nb\n", "line 3"},
		{"quote.csv", "path,label\na,0\n\"b,0\n", "line 3"},
		{"endless.csv", "path,label\n\"" + strings.Repeat("a", 3<<20), "a quote left open"},
		{"no path.csv", "path,label\na,0\n,0\n", "line 3 has no path"},
		{"split.csv", "path,label,split\na,0,dev\n", `line 2 (a) has the split "dev"`},
		{"again.csv", "path,label\na,0\nb,0\n./a,0\n", `lines 2 and 4 both list "a"`},
		{"contradiction.csv", "path,label\na,0\nb,0\n./a,1\n", `lines 2 and 4 both list "a": with the labels "0" and "1"`},
		{"cp1252.csv", "path,label\na,caf\xe9\n", `line 2: "caf\xe9" is not encoded in UTF-8 (in Windows-1252 it is "café"): save the list as UTF-8`},
		{"cp1252 path.csv", "path,label\ncaf\xe9.png,a\n", `line 2: "caf\xe9.png" is not encoded in UTF-8`},
		{"cp1252.jsonl", "{\"path\":\"a\",\"label\":\"caf\xe9\"}\n", "line 1: "},
		{"lost.csv", "path,label\na,caf\ufffd\n", "line 2: "},
		{"cut utf16.csv", utf16("\ufeffpath,label\na,b", binary.LittleEndian) + "x", "has lost characters"},
		{"utf32.csv", "\xff\xfe\x00\x00p\x00\x00\x00", "UTF-32"},
		{"array.jsonl", "[1]\n", "line 1"},
		{"cut.jsonl", `{"path":"a","label":"0"}` + "\n" + `{"path":"b",`, "line 2"},
		{"two.jsonl", `{"path":"a"} {"path":"b"}`, "line 1"},
		{"label.jsonl", `{"path":"a","label":["x"]}`, `line 1: its label is ["x"], neither`},
		{"nested.jsonl", `{"path":"a","label":{"name":"x"}}`, `line 1: its label is {"name":"x"}`},
		{"twice.jsonl", `{"path":"a","label":"x","label":"y"}`, `line 1: it has the member "label" twice`},
		{"cases.jsonl", `{"path":"a","label":"x","Label":"y"}`, `line 1: it has the member "label" twice`},
		{"old mac.csv", "path,label\ra,0\rb,1\r", "carriage returns alone"},
		{"long header.csv", strings.Repeat("a", 1<<19) + "\nb\n", "…"},
		{"no path.jsonl", `{"label":"x"}`, "line 1 has no path"},
		{"endless.jsonl", `{"path":"` + strings.Repeat("a", 3<<20), "line 1: a row is longer"},
	} {
		got, err := lines(t, c.name, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name) || len(got) > 0 && c.name != "again.csv" && c.name != "contradiction.csv" {
			t.Errorf("%s: %v after %q", c.name, err, got)
		}
	}
	root := t.TempDir()
	for _, err := range open(t, root, "gone.csv").Examples(t.Context()) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no manifest: %v", err)
		}
	}
}

// Ignored columns and members are reported.
func TestNotes(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a.png"), sourcetest.Picture(1))
	for name, c := range map[string]struct{ text, want string }{
		"plain.csv":   {"Path, label \na.png,x\n", ""},
		"other.csv":   {"id,path,label,set,\n1,a.png,x,train,\n", `not "id", "set"`},
		"wide.csv":    {"path,label" + strings.Repeat(",c", 30) + "\na.png,x" + strings.Repeat(",0", 30) + "\n", "and 14 more"},
		"plain.jsonl": {`{"path":"a.png","Label":7}`, ""},
		"other.jsonl": {`{"path":"a.png","label":"x","labels":["x","y"]}`, `not "labels"`},
	} {
		write(t, filepath.Join(root, name), []byte(c.text))
		_, r, err := datasets.TakeSnapshot(t.Context(), open(t, root, name), datasets.SnapshotOptions{})
		must(t, err)
		if got := strings.Join(r.Notes, "|"); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Paths that leave the dataset, by themselves or through links, are refused by
// name and not read.
func TestPathsOut(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret.png"), sourcetest.Picture(1))
	root := filepath.Join(t.TempDir(), "root")
	write(t, filepath.Join(root, "in/a.png"), sourcetest.Picture(2))
	write(t, filepath.Join(root, "top.png"), sourcetest.Picture(3))
	must(t, os.Symlink(outside, filepath.Join(root, "in/link")))
	must(t, os.Symlink(filepath.Join(outside, "secret.png"), filepath.Join(root, "in/secret.png")))
	refused := []string{
		filepath.Join(outside, "secret.png"), "../top.png", "../../" + filepath.Base(outside) + "/secret.png",
		"b/../a.png", "link/secret.png", "secret.png", "file:///etc/passwd", "..",
	}
	var b strings.Builder
	b.WriteString("path,label\na.png,x\ngone.png,x\n")
	for _, path := range refused {
		fmt.Fprintf(&b, "%s,x\n", path)
	}
	write(t, filepath.Join(root, "in/list.csv"), []byte(b.String()))
	s, r, err := datasets.TakeSnapshot(t.Context(), open(t, root, "in/list.csv"), datasets.SnapshotOptions{})
	must(t, err)
	if len(s.Entries) != 1 || s.Entries[0].Key != "a.png" {
		t.Errorf("used: %v", s.Entries)
	}
	reasons := make(map[string]string)
	for _, q := range r.Quarantined {
		reasons[q.Key] = q.String()
	}
	for _, path := range refused {
		if got := reasons[path]; !strings.Contains(got, path+": refused: ") {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got := reasons["gone.png"]; !strings.Contains(got, "unreadable") || len(reasons) != len(refused)+1 {
		t.Errorf("gone.png: %q, all: %v", got, reasons)
	}
}

// Listed names that differ from the files' names are reported, each kind with
// an example, and so are unlisted files.
func TestListsThatDoNotMatch(t *testing.T) {
	stored := []string{"img/a/000.png", "img/a/001.png", "img/Großer Hund/x y.JPG", "img/caf\u00e9.png", "other.png", "img/a/twice.png", "img/a/twice.jpg"}
	for name, c := range map[string]struct{ listed, found, differ string }{
		"backslash":       {`img\a\000.png`, "img/a/000.png", "the path separator, a backslash"},
		"drive":           {`C:\Users\me\img\a\000.png`, "img/a/000.png", "the folders before it"},
		"absolute":        {"/home/me/img/a/000.png", "img/a/000.png", "the folders before it"},
		"own folder":      {"root/img/a/000.png", "img/a/000.png", "the folders before it"},
		"empty element":   {"img//a/000.png", "img/a/000.png", "slashes without a name between them"},
		"dots":            {"img/b/../a/000.png", "img/a/000.png", "dots in it"},
		"no ending":       {"img/a/000", "img/a/000.png", "the extension, which the list omits"},
		"other ending":    {"img/a/000.jpeg", "img/a/000.png", "the ending"},
		"letter case":     {"IMG/A/000.PNG", "img/a/000.png", "capitals"},
		"normal form":     {"img/cafe\u0301.png", "img/caf\u00e9.png", "their Unicode normal form"},
		"blank":           {"img/a/000.png ", "img/a/000.png", "blanks"},
		"quotes":          {"'img/a/000.png'", "img/a/000.png", "blanks or quotes around it"},
		"escapes":         {"img/Gro%C3%9Fer%20Hund/x%20y.JPG", "img/Großer Hund/x y.JPG", "escapes of a URL"},
		"file URI":        {"file:///home/me/img/a/000.png", "img/a/000.png", "the folders before it"},
		"misread":         {"img/caf\u00c3\u00a9.png", "img/caf\u00e9.png", "the encoding of the list"},
		"several":         {`Img\Großer Hund\X Y.jpg`, "img/Großer Hund/x y.JPG", "capitals"},
		"nothing like it": {"img/a/002.png", "", ""},
		"two like it":     {"img/a/twice", "", ""},
		"a folder":        {"img/A", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			for i, path := range stored {
				write(t, filepath.Join(root, path), sourcetest.Picture(i))
			}
			write(t, filepath.Join(root, "list.csv"), rows{c.listed: "x", "img/a/001.png": "y"}.csv(t))
			_, r, err := datasets.TakeSnapshot(t.Context(), open(t, root, "list.csv"), datasets.SnapshotOptions{})
			must(t, err)
			if c.found == "" {
				if len(r.ListDifferences) > 0 || len(r.Quarantined) != 1 {
					t.Errorf("got %+v, %v", r.ListDifferences, r.Quarantined)
				}
				return
			}
			if len(r.ListDifferences) != 1 {
				t.Fatalf("got %+v, %v", r.ListDifferences, r.Quarantined)
			}
			d := r.ListDifferences[0]
			if d.Files != 1 || d.Listed != c.listed || d.Found != c.found || !strings.Contains(d.Differ, c.differ) {
				t.Errorf("got %+v", d)
			}
			if text := strings.Join(r.Warnings(), "|"); !strings.Contains(text, fmt.Sprintf("such as %q for %q", c.listed, c.found)) {
				t.Errorf("warnings: %s", text)
			}
			if u := r.Unlisted; u == nil || u.Files != 2 || u.First != "img/a/000.png" { // and twice.png
				t.Errorf("unlisted: %+v", u)
			}
			if u := r.Unnamed(); u.ListDifferences[0].Listed+u.ListDifferences[0].Found+u.Unlisted.First != "" {
				t.Errorf("unnamed it tells %+v, %+v", u.ListDifferences, u.Unlisted)
			}
		})
	}
}

// A complete list gives no warnings.
func TestListsThatMatch(t *testing.T) {
	root := t.TempDir()
	listed := make(rows)
	for i := range 4 {
		key := fmt.Sprintf("img/%d.png", i)
		write(t, filepath.Join(root, key), sourcetest.Picture(i))
		listed[key] = fmt.Sprint("class", i%2)
	}
	write(t, filepath.Join(root, "img/.hidden.png"), nil)
	write(t, filepath.Join(root, "img/notes.txt"), nil)
	write(t, filepath.Join(root, "elsewhere/x.png"), sourcetest.Picture(9))
	write(t, filepath.Join(root, "list.csv"), listed.csv(t))
	_, r, err := datasets.TakeSnapshot(t.Context(), open(t, root, "list.csv"), datasets.SnapshotOptions{})
	must(t, err)
	if w := r.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
}

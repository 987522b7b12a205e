package tarshards_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/files"
	"tkit/datasets/local"
	"tkit/datasets/shards"
	"tkit/datasets/shards/shardstest"
	"tkit/datasets/sourcetest"
	"tkit/datasets/tarshards"
	"tkit/internal/fuzztest"
	"tkit/internal/needs"
)

var format = shardstest.Format{
	Extension: ".tar",
	Pack: func(t testing.TB, packed []shardstest.File) []byte {
		var members []tar.Header
		bodies := make(map[string][]byte)
		for _, f := range packed {
			h := tar.Header{Name: f.Key}
			if f.Denied {
				h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/passwd"
			}
			members = append(members, h)
			bodies[f.Key] = f.Bytes
		}
		return pack(t, members, bodies)
	},
	New: func(tree files.Tree, c shards.Config) (*shards.Source, error) {
		return tarshards.New(tree, tarshards.Config{Shards: c}), nil
	},
	Open: all.Open,
}

func TestSource(t *testing.T) { shardstest.Run(t, format) }

// pack writes members, of which files have the bodies.
func pack(t testing.TB, members []tar.Header, bodies map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range members {
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(bodies[h.Name]))
		}
		h.Mode = 0o644
		must(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write(bodies[h.Name])
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

// packNames writes files in order, a name and its content.
func packNames(t testing.TB, pairs ...string) []byte {
	var members []tar.Header
	bodies := make(map[string][]byte)
	for pair := range slices.Chunk(pairs, 2) {
		members = append(members, tar.Header{Name: pair[0]})
		bodies[pair[0]] = []byte(pair[1])
	}
	return pack(t, members, bodies)
}

func picture(n int) string { return string(sourcetest.Picture(n)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, stored map[string][]byte) datasets.Source {
	t.Helper()
	return openAs(t, tarshards.Config{}, stored)
}

func openAs(t *testing.T, c tarshards.Config, stored map[string][]byte) datasets.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: shardstest.Write(t, stored)})
	must(t, err)
	src := tarshards.New(tree, c)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

// describe is what a source lists: key, label, group, split and the number of
// the picture or the error, a line each.
func describe(t *testing.T, src datasets.Source) []string {
	t.Helper()
	keys, found, err := shardstest.List(t.Context(), src)
	must(t, err)
	var lines []string
	for _, k := range keys {
		f := found[k]
		what := "other bytes"
		for n := range 10 {
			if f.Bytes == picture(n) {
				what = fmt.Sprint(n)
			}
		}
		if f.Err != nil {
			what = f.Err.Error()
		}
		lines = append(lines, strings.Join([]string{k, f.Label, f.Group, f.Split, what}, "|"))
	}
	return lines
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSamples(t *testing.T) {
	b := packNames(t,
		"0001.cls", "cat\n", "0001.jpg", picture(1), "0001.txt", "a cat on a mat",
		"0002.jpg", picture(2), "0002.json", `{"label": 7, "group": "patient-3", "split": "VAL", "more": [1]}`,
		"0003.png", picture(3), "0003.txt", " dog ",
		"dogs/deep/0004.png", picture(4),
		"0005.png", picture(5),
		"README.txt", "about it",
		"a.png", picture(6), "a.jpg", picture(7), "a.cls", "x",
		".hidden/x.png", picture(8), "b/._x.png", picture(8),
	)
	same(t, describe(t, open(t, map[string][]byte{"x.tar": b})), []string{
		"x.tar!000000000/0001.jpg|cat|||1",
		"x.tar!000000001/0002.jpg|7|patient-3|validation|2",
		"x.tar!000000002/0003.png|dog|||3",
		"x.tar!000000003/dogs/deep/0004.png|dogs|||4",
		"x.tar!000000004/0005.png||||5",
		"x.tar!000000005/README.txt||||other bytes",
		"x.tar!000000006/a.png|x|||refused: it is one of 2 images of one sample, .png, jpg: give them different names, or choose one with the option image=png",
		"x.tar!000000007/a.jpg|x|||refused: it is one of 2 images of one sample, .png, jpg: give them different names, or choose one with the option image=png",
	})
}

// TestDots groups members as the webdataset library does, by the name up to the
// first dot, but where each image has its own label or none has one.
func TestDots(t *testing.T) {
	two := "it is one of 2 images of one sample"
	for name, c := range map[string]struct {
		config  tarshards.Config
		members []string
		want    []string // name, label, number of the picture or what the error has
	}{
		"an image by a longer name": {members: []string{"0.cls", "cat", "0.input.png", picture(1), "1.input.png", picture(2), "1.cls", "dog"},
			want: []string{"0.input.png|cat|1", "1.input.png|dog|2"}},
		"a label by a longer name": {members: []string{"0.png", picture(1), "0.meta.json", `{"label": 7}`}, want: []string{"0.png|7|1"}},
		"below folders with dots": {members: []string{"v1.2/0.png", picture(1), "v1.2/0.cls", "a", "v1.2/1.png", picture(2), "v1.2/1.cls", "b"},
			want: []string{"v1.2/0.png|a|1", "v1.2/1.png|b|2"}},
		"a label for each": {members: []string{"p.1.png", picture(1), "p.1.cls", "a", "p.2.png", picture(2), "p.2.cls", "b"},
			want: []string{"p.1.png|a|1", "p.2.png|b|2"}},
		"one for several": {members: []string{"p.1.png", picture(1), "p.2.png", picture(2), "p.cls", "a"},
			want: []string{"p.1.png|a|" + two, "p.2.png|a|" + two}},
		"a mask": {members: []string{"p.jpg", picture(1), "p.seg.png", picture(2), "p.cls", "a"},
			want: []string{"p.jpg|a|" + two, "p.seg.png|a|" + two}},
		"a mask that an option leaves out": {config: tarshards.Config{Image: "JPG"},
			members: []string{"p.jpg", picture(1), "p.seg.png", picture(2), "p.cls", "a"}, want: []string{"p.jpg|a|1"}},
		"folders of files with dots": {members: []string{"cat/i.2024.1.png", picture(1), "cat/i.2024.2.png", picture(2), "dog/i.png", picture(3), "dog/i.1.png", picture(4)},
			want: []string{"cat/i.2024.1.png|cat|1", "cat/i.2024.2.png|cat|2", "dog/i.png|dog|3", "dog/i.1.png|dog|4"}},
		"several labels": {members: []string{"p.png", picture(1), "p.fine.cls", "3", "p.coarse.cls", "1"},
			want: []string{"p.png||2 members of its sample have a label, .fine.cls, coarse.cls: choose one with the option label=fine.cls"}},
		"several labels and an option": {config: tarshards.Config{Label: "coarse.cls"},
			members: []string{"p.png", picture(1), "p.fine.cls", "3", "p.coarse.cls", "1"}, want: []string{"p.png|1|1"}},
		"another ending": {config: tarshards.Config{Label: "target"}, members: []string{"p.png", picture(1), "p.target", "3"}, want: []string{"p.png|3|1"}},
		"a field":        {config: tarshards.Config{Label: "category"}, members: []string{"p.png", picture(1), "p.json", `{"category": "x", "label": "y"}`}, want: []string{"p.png|x|1"}},
		"folders alone":  {config: tarshards.Config{Label: "parent"}, members: []string{"a/b/p.png", picture(1), "a/b/p.cls", "3"}, want: []string{"a/b/p.png|b|1"}},
		"the group beside a class": {members: []string{"p.png", picture(1), "p.cls", "a", "p.json", `{"group": ["g", "h"]}`},
			want: []string{`p.png|a|the field "group" of its member .json: it has 2 texts`}},
	} {
		src := openAs(t, c.config, map[string][]byte{"x.tar": packNames(t, c.members...)})
		keys, found, err := shardstest.List(t.Context(), src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(keys) != len(c.want) {
			t.Errorf("%s: %q", name, keys)
			continue
		}
		for i, k := range keys {
			parts := strings.SplitN(c.want[i], "|", 3)
			f := found[k]
			read := len(parts[2]) == 1 && f.Err == nil && f.Bytes == picture(int(parts[2][0]-'0')) || f.Err != nil && strings.Contains(f.Err.Error(), parts[2])
			if shardstest.Member(k) != parts[0] || f.Label != parts[1] || !read {
				t.Errorf("%s: %s|%s|%v, want %s", name, k, f.Label, f.Err, c.want[i])
			}
		}
		if again, err := all.Open(t.Context(), src.URI()); err != nil || again.URI() != src.URI() {
			t.Errorf("%s: %s is opened again: %v", name, src.URI(), err)
		} else {
			must(t, datasets.Close(again))
		}
	}
}

// However many members have one name up to the first dot, few are held.
func TestManyOfOneName(t *testing.T) {
	var members []string
	for i := range 700 {
		members = append(members, fmt.Sprintf("a/p.%d.png", i), picture(i%10), fmt.Sprintf("a/p.%d.cls", i), fmt.Sprint(i%7))
	}
	_, found, err := shardstest.List(t.Context(), open(t, map[string][]byte{"x.tar": packNames(t, members...)}))
	must(t, err)
	for k, f := range found {
		var i int
		if _, err := fmt.Sscanf(shardstest.Member(k), "a/p.%d.png", &i); err != nil || f.Label != fmt.Sprint(i%7) || f.Bytes != picture(i%10) {
			t.Fatalf("%s: %s, %v", k, f.Label, f.Err)
		}
	}
	if len(found) != 700 {
		t.Errorf("%d images", len(found))
	}
	fails(t, map[string][]byte{"x.tar": packNames(t, append(slices.Clone(members), "a/p.cls", "3")...)}, `"a/p.cls" has the label of no image`)
	members[3], members[2] = "x", "a/p.x.cls"
	fails(t, map[string][]byte{"x.tar": packNames(t, members...)}, `have the name "a/p" up to the first dot`)
}

// Members of a sample other than images and labels are noted.
func TestUnlabelled(t *testing.T) {
	for name, c := range map[string]struct {
		members []string
		words   string // of what is quarantined, or of a note
	}{
		"another field": {[]string{"p.png", picture(1), "p.json", `{"category": "x", "id": 7}`},
			"unlabelled: its sample has .png, .json, but no label in the fields category (1 text), id (1 integer): choose one with the option label=category"},
		"an empty list":        {[]string{"p.png", picture(1), "p.json", `{"label": []}`}, "no label in the fields label (empty)"},
		"another member":       {[]string{"p.png", picture(1), "p.target", "x"}, "unlabelled: its sample has .png, .target, but none of them has a label: choose one with the option label=target"},
		"nothing":              {[]string{"p.png", picture(1)}, "unlabelled: it is not in a folder, and no member .cls, .json or .txt"},
		"several in JSON":      {[]string{"p.png", picture(1), "p.json", `{"label": ["a", "b"]}`}, `refused: the field "label" of its member .json: it has 2 texts`},
		"an object":            {[]string{"p.png", picture(1), "p.json", `{"label": {"a": 1}}`}, `refused: the field "label" of its member .json: it is neither a string nor a number`},
		"several lines":        {[]string{"p.png", picture(1), "p.cls", "a\nb\n"}, "refused: its member .cls: it has 2 texts"},
		"several numbers":      {[]string{"p.png", picture(1), "p.cls", "3, 4"}, "refused: its member .cls: it has 2 integers"},
		"several ones":         {[]string{"p.png", picture(1), "p.cls", "[1 0 1]"}, "refused: its member .cls is a list of 3 integers with 2 ones"},
		"a fraction":           {[]string{"p.png", picture(1), "p.json", `{"label": 0.5}`}, "refused: the field \"label\" of its member .json: the number 0.5 is not a class"},
		"one-hot":              {[]string{"p.png", picture(1), "p.cls", "0 0 1"}, "note: its member .cls is a one-hot list of 3 integers"},
		"one-hot in JSON":      {[]string{"p.png", picture(1), "p.json", `{"label": [0.0, 1.0]}`}, "is a one-hot list of 2 numbers"},
		"other members":        {[]string{"c/p.png", picture(1), "c/p.npy", "x"}, "note: other members next to the images are not read: .npy"},
		"images of one name":   {[]string{"c/p.png", picture(1), "c/p.m.png", picture(2)}, "note: there are images with the same name up to the first dot, such as .png and .m.png"},
		"the names of Windows": {[]string{`c\p.png`, picture(1)}, "contain"},
	} {
		_, report, err := datasets.TakeSnapshot(t.Context(), open(t, map[string][]byte{"x.tar": packNames(t, c.members...)}), datasets.SnapshotOptions{})
		if report == nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := strings.Join(report.Notes, "\nnote: ")
		for _, q := range report.Quarantined {
			text += "\n" + q.String()
		}
		if !strings.Contains("note: "+text, c.words) {
			t.Errorf("%s: %q, want %q", name, text, c.words)
		}
	}
}

// A path that leaves the archive is refused by name. Nothing in an archive is
// opened by its name, so the refusal only informs the author.
func TestRefused(t *testing.T) {
	names := []tar.Header{
		{Name: "/etc/a.png"}, {Name: "../b.png"}, {Name: "c/../../c.png"}, {Name: "./d/e.png"}, {Name: ".//etc/f.png"},
		{Name: "g/link.png", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "g/hard.png", Typeflag: tar.TypeLink, Linkname: "d/e.png"},
		{Name: "g/pipe.png", Typeflag: tar.TypeFifo},
		{Name: "g/device.png", Typeflag: tar.TypeChar},
		{Name: "folder/", Typeflag: tar.TypeDir},
	}
	bodies := make(map[string][]byte)
	for i := range names[:5] {
		bodies[names[i].Name] = sourcetest.Picture(i)
	}
	_, report, err := datasets.TakeSnapshot(t.Context(), open(t, map[string][]byte{"x.tar": pack(t, names, bodies)}), datasets.SnapshotOptions{})
	must(t, err)
	var got []string
	for _, q := range report.Quarantined {
		got = append(got, q.Key+": "+string(q.Reason)+": "+q.Detail)
	}
	for i, want := range []struct{ key, words string }{
		{"x.tar!000000000//etc/a.png", "is absolute"}, {"x.tar!000000001/../b.png", "element .."}, {"x.tar!000000002/c/../../c.png", "element .."},
		{"x.tar!000000004//etc/f.png", "is absolute"}, {"x.tar!000000005/g/link.png", `link to "/etc/passwd"`}, {"x.tar!000000006/g/hard.png", "link to"},
		{"x.tar!000000007/g/pipe.png", "not a file"}, {"x.tar!000000008/g/device.png", "not a file"},
	} {
		if i >= len(got) || !strings.HasPrefix(got[i], want.key+": ") || !strings.Contains(got[i], want.words) {
			t.Errorf("%s, %s is not %d of %q", want.key, want.words, i, got)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d are refused: %q", len(got), got)
	}
}

// fails expects the listing, and so a snapshot, to fail with an error that
// contains these words.
func fails(t *testing.T, stored map[string][]byte, words ...string) {
	t.Helper()
	_, _, err := shardstest.List(t.Context(), open(t, stored))
	if err == nil {
		t.Errorf("it is listed, without %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
	if _, _, err := datasets.TakeSnapshot(t.Context(), open(t, stored), datasets.SnapshotOptions{}); err == nil {
		t.Errorf("a snapshot is taken, without %q", words)
	}
}

// Every cut before the end mark is detected.
func TestTruncated(t *testing.T) {
	whole := packNames(t, "a/1.png", picture(1), "a/2.png", picture(2), "b/3.png", picture(3), "b/3.json", "{}")
	end := len(whole) - 1024
	for cut := 0; cut < end+512; cut += 64 {
		_, _, err := shardstest.List(t.Context(), open(t, map[string][]byte{"x.tar": whole[:cut]}))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "shard x.tar") {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
		}
	}
	_, found, err := shardstest.List(t.Context(), open(t, map[string][]byte{"x.tar": whole[:end+512]}))
	if err != nil || len(found) != 3 {
		t.Errorf("with one block of zeros: %d, %v", len(found), err)
	}
}

func TestDamaged(t *testing.T) {
	whole := packNames(t, "a/1.png", picture(1), "a/2.png", picture(2))
	for _, at := range []int{0, 124, 148, 1024 + 3, 1024 + 156} { // in headers: name, size, checksum
		b := bytes.Clone(whole)
		b[at] ^= 1
		fails(t, map[string][]byte{"x.tar": b}, "shard x.tar", "damaged")
	}
	fails(t, map[string][]byte{"x.tar": []byte(strings.Repeat("no tar file ", 100))}, "shard x.tar", "damaged")
	fails(t, map[string][]byte{"x.tar": append(bytes.Clone(whole), whole...)}, "after the end of the archive")
	fails(t, map[string][]byte{"x.tar": packNames(t, "1.cls", "cat", "2.input.png", picture(1))}, `"1.cls" has the label of no image`)
	fails(t, map[string][]byte{"x.tar": packNames(t, "1.png", picture(1), "1.json", "{")}, `the member "1.json"`, "not a JSON object")
	fails(t, map[string][]byte{"x.tar": packNames(t, "1.png", picture(1), "1.json", `{"split": "some"}`)}, `want train`)
	fails(t, map[string][]byte{"x.tar": packNames(t, "1.png", picture(1), "1.txt", strings.Repeat("x", 1<<20+1))}, "a label has at most")
}

// The size in a header is limited by the file's size.
func TestHugeLength(t *testing.T) {
	for _, size := range []int64{1 << 20, 1 << 33, 1 << 62} {
		var b bytes.Buffer
		must(t, tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "a/1.png", Size: size, Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatGNU}))
		b.Write(make([]byte, 4096))
		fails(t, map[string][]byte{"x.tar": b.Bytes()}, "shard x.tar", "truncated")
	}
}

// A set of shards must be complete and unique.
func TestSets(t *testing.T) {
	one, two := packNames(t, "1.png", picture(1), "1.cls", "a"), packNames(t, "1.png", picture(2), "1.cls", "a")
	fails(t, map[string][]byte{"t-00000-of-00003.tar": one, "t-00002-of-00003.tar": two}, "of the 3 shards t-*-of-00003.tar, 2 exist and t-00001-of-00003.tar is missing")
	fails(t, map[string][]byte{"t-00000-of-00001.tar": one, "t-00000-of-00002.tar": one, "t-00001-of-00002.tar": two}, "the same dataset twice")
	fails(t, map[string][]byte{"t-00000-of-00001.tar": one, "t-00001-of-00001.tar": one}, "beyond the size of its set")
	// The same name in two shards is two images.
	same(t, describe(t, open(t, map[string][]byte{"t-00000-of-00002.tar": one, "t-00001-of-00002.tar": two, "t-00000-of-00002.idx": {1}})), []string{
		"t-00000-of-00002.tar!000000000/1.png|a|||1", "t-00001-of-00002.tar!000000000/1.png|a|||2"})
	// The same image in two shards is reported.
	s, report, err := datasets.TakeSnapshot(t.Context(), open(t, map[string][]byte{"a.tar": one, "b.tar": one, "c.tar": packNames(t), "d.txt": nil, "e/f.tar": one}), datasets.SnapshotOptions{})
	must(t, err)
	if len(report.Duplicates) != 1 || len(s.Entries) == 0 {
		t.Errorf("duplicates: %v, %d entries", report.Duplicates, len(s.Entries))
	}
	quarantined := make(map[string]string)
	for _, q := range report.Quarantined {
		quarantined[q.Key] = q.Detail
	}
	for key, want := range map[string]string{"c.tar": "the shard is empty", "d.txt": "not a tar shard", "e": "not a tar shard"} {
		if !strings.Contains(quarantined[key], want) {
			t.Errorf("quarantined: %v", quarantined)
		}
	}
}

// TestOthers reads the formats of Python's tarfile and GNU tar.
func TestOthers(t *testing.T) {
	python := needs.Python(t)
	dir := t.TempDir()
	long := strings.Repeat("long/", 60)
	key := "é/" + long + "1.png" // more than a plain header holds
	for name, b := range map[string]string{key: picture(1), "z/2.png": picture(2), "z/3.png": strings.Repeat("x", 20_000)} {
		path := filepath.Join(dir, "in", filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(b), 0o644))
	}
	sparse := filepath.Join(dir, "hole", "h", "4.png")
	must(t, os.MkdirAll(filepath.Dir(sparse), 0o755))
	must(t, os.WriteFile(sparse, []byte("x"), 0o644))
	must(t, os.Truncate(sparse, 1<<20))
	run := func(name string, arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, arguments...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	for _, form := range []string{"gnu", "pax", "oldgnu"} {
		run("tar", "--format="+form, "--sort=name", "-C", "in", "-cf", form+".tar", ".")
	}
	for _, form := range []string{"GNU", "PAX"} {
		run(python, "-c", "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[2] + '_FORMAT')) as t:\n t.add('in', '.', filter=lambda m: m)", "python"+form+".tar", form)
	}
	for _, form := range []string{"gnu", "pax", "oldgnu", "pythonGNU", "pythonPAX"} {
		b, err := os.ReadFile(filepath.Join(dir, form+".tar"))
		must(t, err)
		_, found, err := shardstest.List(t.Context(), open(t, map[string][]byte{"x.tar": b}))
		must(t, err)
		got := make(map[string]shardstest.Found)
		for k, f := range found {
			got[shardstest.Member(k)] = f
		}
		if got[key].Bytes != picture(1) || got[key].Label != "é" || got["z/2.png"].Bytes != picture(2) || len(got["z/3.png"].Bytes) != 20_000 || len(got) != 3 {
			t.Errorf("%s: %d members: %v", form, len(got), got)
		}
	}
	for _, arguments := range [][]string{{"--format=gnu"}, {"--format=pax", "--sparse-version=1.0"}, {"--format=pax", "--sparse-version=0.1"}} {
		run("tar", append(arguments, "--sparse", "-C", "hole", "-cf", "sparse.tar", "h")...)
		b, err := os.ReadFile(filepath.Join(dir, "sparse.tar"))
		must(t, err)
		if len(b) > 1<<19 {
			t.Fatalf("%v: tar wrote no hole", arguments)
		}
		got := describe(t, open(t, map[string][]byte{"x.tar": b}))
		if len(got) != 1 || !strings.Contains(got[0], "sparse file") {
			t.Errorf("%v: %q", arguments, got)
		}
	}
	run("tar", "-C", "in", "-czf", "zipped.tar", ".")
	b, err := os.ReadFile(filepath.Join(dir, "zipped.tar"))
	must(t, err)
	fails(t, map[string][]byte{"x.tar": b}, "shard x.tar: it is compressed with gzip", "unpack it first: gunzip <x.tar >unpacked-x.tar")
}

func FuzzShard(f *testing.F) {
	f.Add([]byte{})
	f.Add(packNames(f, "0001.cls", "cat", "0001.jpg", picture(1), "0002.jpg", picture(2), "0002.json", `{"label": 7}`))
	f.Add(pack(f, []tar.Header{{Name: strings.Repeat("long/", 60) + "x.png"}, {Name: "l.png", Typeflag: tar.TypeSymlink, Linkname: "x"}}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		shardstest.Take(t, format, b, len(b))
	})
}

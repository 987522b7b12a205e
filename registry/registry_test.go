package registry_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"tkit/internal/evaluation"
	"tkit/internal/preprocessing"
	"tkit/registry"
)

func open(t testing.TB, home string) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

var ann = registry.Change{Actor: "ann", Reason: "a test"}

// registration is of a small model with a trunk that all share.
func registration(model, head string) registry.Registration {
	return registry.Registration{
		Manifest: registry.Manifest{
			Model:         model,
			Description:   "petals & <leaves>",
			Cut:           registry.CutRecord{Endpoint: "mixed7", Pool: "avg"},
			Labels:        []string{"daisy", "rose", "tulip"},
			Preprocessing: preprocessing.ForMode(preprocessing.TF, 299, 299, 3),
			Signature: registry.Signature{
				Inputs:  []registry.TensorSpec{{Name: "images", DataType: "float32", Shape: []int64{-1, 299, 299, 3}}},
				Outputs: []registry.TensorSpec{{Name: "probabilities", DataType: "float32", Shape: []int64{-1, 3}}},
			},
			Metrics: metrics(),
			Lineage: registry.Lineage{
				Snapshots:  []registry.SnapshotRef{{URI: "file:///data/flowers", Digest: digest('5'), Entries: 600}},
				Base:       &registry.Base{Name: "inception_v3", Digest: digest('b')},
				Code:       "v1.2.3",
				Seed:       1<<64 - 1,
				Command:    []string{"tkit", "train", "--name", model},
				Parameters: map[string]string{"penalty": "0.01"},
			},
		},
		Trunk: registry.FromReader(strings.NewReader("the trunk of them all")),
		Head:  registry.FromReader(strings.NewReader(head)),
		By:    ann,
	}
}

func digest(digit rune) registry.Digest {
	return registry.Digest("sha256:" + strings.Repeat(string(digit), 64))
}

func metrics() *evaluation.Evaluation {
	e, err := evaluation.Evaluate(evaluation.Predictions{
		Labels: []string{"daisy", "rose", "tulip"},
		Truth:  []int{0, 1, 2, 2},
		Logits: []float32{3, 1, 0, 0, 2, 1, 1, 0, 4, 2, 1, 0},
	}, 1.5)
	if err != nil {
		panic(err)
	}
	return e
}

func register(t testing.TB, r *registry.Registry, model, head string) registry.Version {
	t.Helper()
	v, err := r.Register(t.Context(), registration(model, head))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ref(t testing.TB, s string) registry.Ref {
	t.Helper()
	ref, err := registry.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func promote(t testing.TB, r *registry.Registry, model string, version int, alias string) {
	t.Helper()
	if _, err := r.Promote(t.Context(), model, version, alias, ann); err != nil {
		t.Fatal(err)
	}
}

// sound checks that Verify finds no problem.
func sound(t testing.TB, r *registry.Registry) {
	t.Helper()
	problems, err := r.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("Verify: %s: %s", p.Subject, p.Detail)
	}
}

func TestRegisterAndResolve(t *testing.T) {
	home := t.TempDir()
	r := open(t, home)
	first, second := register(t, r, "flowers", "head 1"), register(t, r, "flowers", "head 2")
	other := register(t, r, "cars", "head 1")
	if first.Manifest.Version != 1 || second.Manifest.Version != 2 || other.Manifest.Version != 1 {
		t.Fatalf("the versions are %s, %s, %s", first.Manifest.Ref(), second.Manifest.Ref(), other.Manifest.Ref())
	}
	if first.Manifest.Trunk != other.Manifest.Trunk || first.Manifest.Head != other.Manifest.Head {
		t.Error("equal parts are stored under different digests")
	}
	promote(t, r, "flowers", 2, registry.Production)
	promote(t, r, "flowers", 1, "champion")

	for _, r := range []*registry.Registry{r, open(t, home)} {
		for text, want := range map[string]registry.Version{
			"flowers@1": first, "flowers@champion": first, "flowers": second, "flowers@production": second, "cars@1": other,
		} {
			for range 2 { // from the database, then from memory
				m, err := r.Resolve(t.Context(), ref(t, text))
				if err != nil {
					t.Fatal(err)
				}
				got, err1 := m.Encode()
				wanted, err2 := want.Manifest.Encode()
				if err1 != nil || err2 != nil || string(got) != string(wanted) {
					t.Errorf("Resolve(%s) =\n%s\nwant\n%s", text, got, wanted)
				}
				if d, err := m.Digest(); err != nil || d != want.Digest {
					t.Errorf("the digest of %s is %s, %v, was %s", text, d, err, want.Digest)
				}
			}
		}
	}
	if m, err := r.Resolve(t.Context(), registry.Ref{Model: "flowers"}); err != nil || m.Version != 2 {
		t.Errorf("without version and alias: %v, %v; want version 2", m, err)
	}
	path, err := r.BlobPath(t.Context(), second.Manifest.Head.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "head 2" {
		t.Errorf("the head holds %q, %v", b, err)
	}
	sound(t, r)
}

func TestResolveFailsWithARemedy(t *testing.T) {
	r := open(t, t.TempDir())
	remedy := func(text string, want ...string) {
		t.Helper()
		_, err := r.Resolve(t.Context(), ref(t, text))
		if !errors.Is(err, registry.ErrNotFound) {
			t.Fatalf("Resolve(%s): %v, want ErrNotFound", text, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("Resolve(%s): %v: want %q in it", text, err, w)
			}
		}
	}
	remedy("flowers", "registry is empty")
	register(t, r, "flowers", "1")
	register(t, r, "flowers", "2")
	remedy("flowers", "alias production", "promote one", "flowers@2")
	remedy("flowers@champion", "alias champion", "promote one", "flowers@2")
	remedy("flowers@9", "newest version is 2")
	for i := range 9 {
		register(t, r, fmt.Sprint("model-", i), "head")
	}
	remedy("cars", "flowers, model-0", "…")
	remedy("flower", "did you mean flowers?")
}

func TestAttachmentsAndReaders(t *testing.T) {
	r := open(t, t.TempDir())
	first := register(t, r, "flowers", "head")
	n := registration("flowers", "")
	n.Trunk = registry.Stored(first.Manifest.Trunk.Digest)
	n.Head = registry.FromReader(strings.NewReader("a head to read"))
	n.Attachments = map[string]registry.Content{"report.html": registry.FromEncoder(text("<html>"))}
	v, err := r.Register(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	path, err := r.BlobPath(t.Context(), v.Manifest.Attachments["report.html"].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "<html>" {
		t.Errorf("the attachment holds %q, %v", b, err)
	}
	if v.Manifest.Trunk != first.Manifest.Trunk || v.Manifest.Head.Size != 14 {
		t.Errorf("the parts are %v and %v", v.Manifest.Trunk, v.Manifest.Head)
	}
	if c, err := r.Collect(t.Context(), false); err != nil || len(c.Blobs) != 0 {
		t.Errorf("Collect removed %v, %v of what is in use", c.Blobs, err)
	}
	sound(t, r)
}

func TestBadRegistrationsLeaveNothing(t *testing.T) {
	home := t.TempDir()
	r := open(t, home)
	broken := errors.New("the disk is full")
	for name, spoil := range map[string]func(*registry.Registration){
		"name":               func(n *registry.Registration) { n.Manifest.Model = "../flowers" },
		"no name":            func(n *registry.Registration) { n.Manifest.Model = "" },
		"no actor":           func(n *registry.Registration) { n.By.Actor = " " },
		"one label":          func(n *registry.Registration) { n.Manifest.Labels = []string{"rose"} },
		"label twice":        func(n *registry.Registration) { n.Manifest.Labels = []string{"rose", "rose"} },
		"empty label":        func(n *registry.Registration) { n.Manifest.Labels = []string{"rose", ""} },
		"label of two lines": func(n *registry.Registration) { n.Manifest.Labels = []string{"rose", "dai\nsy"} },
		"no preprocessing":   func(n *registry.Registration) { n.Manifest.Preprocessing = preprocessing.Preprocessing{} },
		"no signature":       func(n *registry.Registration) { n.Manifest.Signature.Inputs = nil },
		"nameless output":    func(n *registry.Registration) { n.Manifest.Signature.Outputs = []registry.TensorSpec{{}} },
		"snapshot's digest":  func(n *registry.Registration) { n.Manifest.Lineage.Snapshots[0].Digest = "d34d" },
		"snapshot unnamed":   func(n *registry.Registration) { n.Manifest.Lineage.Snapshots[0].URI = "" },
		"base without bytes": func(n *registry.Registration) { n.Manifest.Lineage.Base.Digest = "" },
		"no head":            func(n *registry.Registration) { n.Head = nil },
		"unknown trunk":      func(n *registry.Registration) { n.Trunk = registry.Stored(digest('0')) },
		"failing encoder":    func(n *registry.Registration) { n.Head = registry.FromEncoder(failing{broken}) },
		"bad attachment": func(n *registry.Registration) {
			n.Attachments = map[string]registry.Content{"x": registry.FromEncoder(failing{broken})}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := registration("flowers", "head")
			spoil(&n)
			if v, err := r.Register(t.Context(), n); err == nil {
				t.Errorf("it was registered as %s", v.Manifest.Ref())
			}
		})
	}
	if models, err := r.List(t.Context()); err != nil || len(models) != 0 {
		t.Errorf("List = %v, %v", models, err)
	}
	if events, err := r.History(t.Context(), ""); err != nil || len(events) != 0 {
		t.Errorf("History = %v, %v", events, err)
	}
	if c, err := r.Collect(t.Context(), false); err != nil || c.Leavings != 0 {
		t.Errorf("Collect = %v, %v", c, err)
	}
	if v := register(t, r, "flowers", "head"); v.Manifest.Version != 1 {
		t.Errorf("the first version is %d", v.Manifest.Version)
	}
	sound(t, r)
}

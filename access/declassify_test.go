package access

import (
	"errors"
	"testing"
	"time"
)

func TestDeclassify(t *testing.T) {
	f := newFixture(t)
	lineage := []Origin{{Version: "flowers@7", Model: "model:flowers", Data: []Data{{Datasets: []string{"scans"}}}}}
	f.give(t, f.olga, Allow, "user:greta", Administer)
	greta, bob := f.ask(t, "user:greta"), f.ask(t, "user:bob")
	good := Declassification{Version: "flowers@7", Dataset: "dataset:scans", Right: Use, Reason: "approved", Expires: time.Now().Add(time.Hour)}
	with := func(change func(*Declassification)) Declassification { e := good; change(&e); return e }
	for _, c := range []struct {
		name string
		who  Caller
		e    Declassification
		want error
	}{
		{"who may grant is not the owner", greta, good, ErrDenied},
		{"the administrator is not the owner", f.root, good, ErrDenied},
		{"without a reason", f.olga, with(func(e *Declassification) { e.Reason = " " }), ErrInvalid},
		{"without an end", f.olga, with(func(e *Declassification) { e.Expires = time.Time{} }), ErrInvalid},
		{"for ever", f.olga, with(func(e *Declassification) { e.Expires = time.Now().AddDate(90, 0, 0) }), ErrInvalid},
		{"of a dataset's own right", f.olga, with(func(e *Declassification) { e.Right = Train }), ErrInvalid},
		{"of a dataset that is not behind it", f.olga, with(func(e *Declassification) { e.Dataset = "dataset:other" }), ErrNotFound},
	} {
		if _, err := f.Declassify(t.Context(), c.who, c.e, lineage); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	may := func(r Right) bool {
		t.Helper()
		_, err := f.Authorize(t.Context(), bob, Request{Action: "test", Right: r, Lineage: lineage})
		if err != nil && !errors.Is(err, ErrDenied) {
			t.Fatal(err)
		}
		return err == nil
	}
	if may(Use) {
		t.Fatal("before")
	}
	e, err := f.Declassify(t.Context(), f.olga, good, lineage)
	if err != nil {
		t.Fatal(err)
	}
	if !may(Use) || may(Download) {
		t.Error("a declassification is for one right, for everybody")
	}
	p, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Declassifications("flowers@7"); len(got) != 1 || got[0].Reason != "approved" || got[0].By != "user:olga" {
		t.Errorf("got %+v", got)
	}
	if err := f.Reclassify(t.Context(), bob, e.ID); !errors.Is(err, ErrDenied) {
		t.Errorf("bob takes it back: %v", err)
	}
	if err := f.Reclassify(t.Context(), greta, e.ID); err != nil {
		t.Error(err)
	}
	if may(Use) {
		t.Error("after it was taken back")
	}
}

func TestProtect(t *testing.T) {
	f := newFixture(t)
	restricted := [][]Origin{{{Version: "m@1", Model: "model:m", Data: []Data{{Datasets: []string{"scans"}}}}}}
	alice := f.ask(t, "user:alice")
	if err := f.ProtectModel(t.Context(), alice, "m", "user:alice", restricted); !errors.Is(err, ErrDenied) {
		t.Errorf("who may not promote protects: %v", err)
	}
	if err := f.ProtectModel(t.Context(), alice, "m", "user:alice", nil); !errors.Is(err, ErrDenied) {
		t.Errorf("a model without versions: %v", err)
	}
	f.give(t, f.olga, Allow, "user:alice", Promote)
	f.give(t, f.olga, Allow, "user:bob", Use)
	bob := f.ask(t, "user:bob")
	use := func() error {
		_, err := f.Authorize(t.Context(), bob, Request{Action: "test", Right: Use, Lineage: restricted[0]})
		return err
	}
	if err := use(); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := f.ProtectModel(t.Context(), alice, "m", "user:alice", restricted); err != nil {
		t.Fatal(err)
	}
	if err := use(); !errors.Is(err, ErrDenied) {
		t.Errorf("the model's owner has not allowed it: %v", err)
	}
	if _, err := f.AddGrant(t.Context(), alice, Grant{Object: "model:m", Effect: Allow, Principal: "user:bob", Right: Use}); err != nil {
		t.Fatal(err)
	}
	if err := use(); err != nil {
		t.Errorf("both allow it: %v", err)
	}
	if err := f.ProtectModel(t.Context(), f.root, "m", "user:root", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("twice: %v", err)
	}
}

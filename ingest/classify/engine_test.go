package classify_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var olga = access.Caller{Principal: "user:olga"}

// A place is a home with the models flowers and herbs. Olga owns flowers, and the
// account of the test is the administrator.
type place struct {
	home    *inferencetest.Home
	catalog *catalog.Catalog
	account access.Caller
}

// noGroups knows every user and no group.
type noGroups struct{}

func (noGroups) Of(context.Context, access.Principal) ([]access.Principal, error) {
	return []access.Principal{}, nil
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{home: inferencetest.New(t)}
	p.home.Serve(t, "flowers", "herbs")
	var err error
	if p.catalog, err = catalog.Open(t.Context(), catalog.Options{Home: p.home.Path, Groups: noGroups{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.catalog.Close(); err != nil {
			t.Error(err)
		}
	})
	if p.account, err = catalog.Self(""); err != nil {
		t.Fatal(err)
	}
	if _, err := p.catalog.ProtectModel(t.Context(), p.account, "flowers", olga.Principal); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) options(who access.Caller, models ...string) classify.Options {
	o := classify.Options{Catalog: p.catalog, Caller: who, Log: slog.New(slog.DiscardHandler)}
	for _, m := range models {
		ref, err := registry.ParseRef(m)
		if err != nil {
			panic(err) // of the test itself
		}
		o.Models = append(o.Models, ref)
	}
	return o
}

func open(t *testing.T, o classify.Options) *classify.Engine {
	t.Helper()
	e, err := classify.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestClassify(t *testing.T) {
	p := newPlace(t)
	o := p.options(olga, "herbs@1", "flowers")
	e := open(t, o)
	results, err := e.Classify(t.Context(), inferencetest.JPEG(t, 1), o.Models, 3)
	if err != nil {
		t.Fatal(err)
	}
	herbs, flowers := results[0], results[1]
	if herbs.Model != "herbs" || herbs.Version != 1 || herbs.Alias != "" || herbs.RestrictedBy == nil || len(herbs.RestrictedBy) > 0 || len(herbs.Labels) != 3 {
		t.Errorf("%+v", herbs)
	}
	if flowers.Model != "flowers" || flowers.Alias != registry.Production || !slices.Equal(flowers.RestrictedBy, []access.Object{access.Model("flowers")}) {
		t.Errorf("%+v", flowers)
	}
	if flowers.Preprocessing == "" || flowers.Preprocessing != herbs.Preprocessing {
		t.Errorf("preprocessings %q and %q", flowers.Preprocessing, herbs.Preprocessing)
	}
}

func TestBadImages(t *testing.T) {
	p := newPlace(t)
	o := p.options(olga, "herbs", "flowers")
	e := open(t, o)
	for want, image := range map[string][]byte{
		"empty": nil, "unsupported": []byte("text"), "truncated": inferencetest.JPEG(t, 1)[:200],
	} {
		_, err := e.Classify(t.Context(), image, o.Models, 1)
		if failure.KindOf(err) != failure.Lasting || failure.StageOf(err) != classify.Stage || !strings.Contains(failure.CauseOf(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Classify(ctx, inferencetest.JPEG(t, 1), o.Models, 1); failure.KindOf(err) != failure.Outage {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestNoRight(t *testing.T) {
	p := newPlace(t)
	if _, err := classify.Open(t.Context(), p.options(access.Caller{Principal: "user:mallory"}, "flowers")); !errors.Is(err, access.ErrDenied) {
		t.Errorf("without the right: %v", err)
	}
	if _, err := classify.Open(t.Context(), p.options(access.Caller{}, "herbs")); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("anonymous: %v", err)
	}
	if _, err := classify.Open(t.Context(), p.options(olga, "roses")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a missing model: %v", err)
	}
}

// A caller who loses the right gets no more results, and the image is not blamed.
func TestRightIsRevoked(t *testing.T) {
	p := newPlace(t)
	grants, err := p.catalog.AddGrants(t.Context(), olga, catalog.GrantOptions{
		Object: access.Model("flowers"), Effect: access.Allow, Principal: "user:alice", Rights: []access.Right{access.Use},
	})
	if err != nil {
		t.Fatal(err)
	}
	o := p.options(access.Caller{Principal: "user:alice"}, "flowers")
	e := open(t, o)
	image := inferencetest.JPEG(t, 1)
	if _, err := e.Classify(t.Context(), image, o.Models, 1); err != nil {
		t.Fatal(err)
	}
	if err := p.catalog.RevokeGrant(t.Context(), olga, access.Model("flowers"), grants[0].ID); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := e.Classify(t.Context(), image, o.Models, 1)
		if errors.Is(err, access.ErrDenied) {
			if failure.KindOf(err) != failure.Outage {
				t.Errorf("the image would be blamed: %v", err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a revoked grant still counts: %v", err)
		}
	}
}

package inference_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/pipeline"
	"tkit/registry"
)

// answers returns the version that is served for a reference, 0 if there is
// none.
func answers(m inferencetest.Running, ref registry.Ref) int {
	s, err := m.Acquire(context.Background(), ref)
	if err != nil {
		return 0
	}
	defer s.Release()
	return s.Number
}

func classify(t *testing.T, m inferencetest.Running, ref registry.Ref, images ...[]byte) []inference.Prediction {
	t.Helper()
	s, err := m.Acquire(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	p, _, err := s.Classify(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Results equal those of the parts run without a server, whatever batch the
// images shared, and each model has its own head.
func TestServableAnswersAsItsParts(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "a", "b")
	m := h.Start(t)

	images := [][]byte{inferencetest.JPEG(t, 1), inferencetest.PNG(t, 2), inferencetest.JPEG(t, 3)}
	for _, model := range []string{"a", "b"} {
		want := byHand(t, h, model, images)
		got := classify(t, m, registry.Ref{Model: model}, images...)
		for i := range images {
			for k, p := range got[i].Probabilities {
				if d := p - want[i][k]; d > 1e-5 || d < -1e-5 {
					t.Fatalf("%s, image %d: %v, by hand %v", model, i, got[i].Probabilities, want[i])
				}
			}
			top := got[i].Top(3)
			if len(top) != 3 || top[0].Probability < top[1].Probability || top[1].Probability < top[2].Probability {
				t.Errorf("top 3 is %v", top)
			}
		}
	}
	if slices.Equal(classify(t, m, registry.Ref{Model: "a"}, images[0])[0].Probabilities,
		classify(t, m, registry.Ref{Model: "b"}, images[0])[0].Probabilities) {
		t.Error("two heads give one answer")
	}
}

// byHand classifies with the registry's files, without a server.
func byHand(t *testing.T, h *inferencetest.Home, model string, images [][]byte) [][]float32 {
	t.Helper()
	return byHandWith(t, h, model, images, nil)
}

// byHandWith is byHand for a preprocessing with plugins.
func byHandWith(t *testing.T, h *inferencetest.Home, model string, images [][]byte, plugins pipeline.Plugins) [][]float32 {
	t.Helper()
	manifest, err := h.Registry.Resolve(t.Context(), registry.Ref{Model: model, Alias: registry.Production})
	if err != nil {
		t.Fatal(err)
	}
	path := func(p registry.Part) string {
		path, err := h.Registry.BlobPath(t.Context(), p.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	compiled, err := pipeline.CompileWith(t.Context(), manifest.Preprocessing, plugins)
	if err != nil {
		t.Fatal(err)
	}
	defer compiled.Close()
	trunk, err := inference.OpenTrunk(path(manifest.Trunk), inference.TrunkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	head, err := inference.OpenHead(path(manifest.Head))
	if err != nil {
		t.Fatal(err)
	}
	defer head.Close()
	stream := inference.Stream{Pipeline: compiled, Trunk: trunk, Head: head}
	rows, faults := streamed(t, stream, images)
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestManagerFollowsAliases(t *testing.T) {
	h := inferencetest.New(t)
	m := inferencetest.Run(t, h.Source(t))
	m.Until(t, "started", func() bool { return m.Readiness().Started })
	if _, err := m.Acquire(context.Background(), registry.Ref{Model: "a"}); inference.ReasonOf(err) != inference.NotFound {
		t.Errorf("an empty registry answers %v", err)
	}

	h.Serve(t, "a") // after the start
	m.Until(t, "a@1 answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == 1 })
	v := h.Register(t, "a", 9)
	h.Promote(t, "a", v, "champion") // no request was for it
	if got := answers(m, registry.Ref{Model: "a", Alias: "champion"}); got != 0 {
		t.Errorf("champion is served as %d though only production is wanted", got)
	}
	h.Promote(t, "a", v, registry.Production)
	m.Until(t, "a@2 answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == 2 })
	m.Until(t, "a@1 is gone", func() bool { _, err := m.Status(registry.Ref{Model: "a", Version: 1}); return err != nil })
	if _, err := h.Registry.Rollback(t.Context(), "a", registry.Production, inferencetest.By); err != nil {
		t.Fatal(err)
	}
	m.Until(t, "a@1 answers again", func() bool { return answers(m, registry.Ref{Model: "a"}) == 1 })
	if err := h.Registry.RemoveAlias(t.Context(), "a", registry.Production, inferencetest.By); err != nil {
		t.Fatal(err)
	}
	m.Until(t, "nothing answers", func() bool { return len(m.Models()) == 0 })
}

func TestManagerServesWhatIsAskedFor(t *testing.T) {
	h := inferencetest.New(t)
	for seed := range 3 {
		h.Register(t, "a", uint64(seed))
	}
	h.Promote(t, "a", 1, registry.Production)
	h.Promote(t, "a", 2, "champion")
	h.Serve(t, "b")
	m := h.Start(t, "a", "a@champion", "a@3")
	for ref, want := range map[registry.Ref]int{
		{Model: "a"}: 1, {Model: "a", Alias: "production"}: 1, {Model: "a", Alias: "champion"}: 2,
		{Model: "a", Version: 1}: 1, {Model: "a", Version: 3}: 3, {Model: "a", Alias: "canary"}: 0, {Model: "b"}: 0,
	} {
		if got := answers(m, ref); got != want {
			t.Errorf("%s is answered by %d, want %d", ref, got, want)
		}
	}
	if trunks := distinct(m, 3); trunks != 1 {
		t.Errorf("three versions stand on %d trunks in memory", trunks)
	}
}

// A deleted version is dropped, and is not asked for again.
func TestManagerDropsADeletedVersion(t *testing.T) {
	h := inferencetest.New(t)
	for seed := range 3 {
		h.Register(t, "a", uint64(seed))
	}
	h.Promote(t, "a", 3, registry.Production)
	m := h.Start(t, "a", "a@2")
	second := registry.Ref{Model: "a", Version: 2}
	if got := answers(m, second); got != 2 {
		t.Fatalf("%s is answered by %d", second, got)
	}
	if _, err := h.Registry.Remove(t.Context(), registry.Removal{Model: "a", Version: 2, By: registry.Change{Actor: "test"}}); err != nil {
		t.Fatal(err)
	}
	m.Until(t, "only production is left", func() bool { return len(m.Models()[0].Versions) == 1 })
	if got := answers(m, second); got != 0 {
		t.Errorf("the deleted version is answered by %d", got)
	}
	if got := answers(m, registry.Ref{Model: "a"}); got != 3 {
		t.Errorf("production is answered by %d", got)
	}
	wanted, err := h.Source(t, "a", "a@2").Aspirations(t.Context())
	if err != nil || len(wanted) != 1 || !slices.Equal(wanted[0].Versions, []int{3}) {
		t.Errorf("asked for: %+v, %v", wanted, err)
	}
}

// distinct counts the trunks behind the loaded versions of model a.
func distinct(m inferencetest.Running, versions int) int {
	trunks := map[any]bool{}
	for v := range versions {
		s, err := m.Acquire(context.Background(), registry.Ref{Model: "a", Version: v + 1})
		if err != nil {
			return -1
		}
		trunks[inference.TrunkOf(s)] = true
		s.Release()
	}
	return len(trunks)
}

// A version that cannot be loaded does not affect the one in use; when it is
// replaced by one that can be loaded, that one takes over.
func TestManagerSurvivesBadVersions(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "a")
	m := h.Start(t)
	bad := h.RegisterParts(t, "a", registry.FromReader(strings.NewReader("no network")), registry.FromReader(strings.NewReader("none either")))
	h.Promote(t, "a", bad, registry.Production)
	m.Until(t, "the load was tried and failed", func() bool {
		s, err := m.Status(registry.Ref{Model: "a", Version: bad})
		return err == nil && s.Versions[0].State == inference.End && s.Versions[0].Err != nil
	})
	if got := answers(m, registry.Ref{Model: "a"}); got != 1 {
		t.Errorf("with a bad version in production %d answers", got)
	}
	if now := m.Readiness(); !now.Ready || len(now.Missing) > 0 || !slices.Equal(now.Failing, []string{"a@2"}) || now.Complete() {
		t.Errorf("though an older version answers, it is %+v", now)
	}
	if _, err := m.Acquire(context.Background(), registry.Ref{Model: "a", Version: bad}); inference.ReasonOf(err) != inference.Unavailable || !strings.Contains(err.Error(), "log says why") || strings.Contains(err.Error(), h.Path) {
		t.Errorf("the bad version answers %v", err)
	}
	good := h.Register(t, "a", 7)
	h.Promote(t, "a", good, registry.Production)
	m.Until(t, "the good one answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == good })
	m.Until(t, "only it is left", func() bool { return len(m.Models()[0].Versions) == 1 })
}

// A server with a broken version in production becomes ready after several
// attempts, so that it can serve the other models.
func TestManagerIsReadyWithoutTheBroken(t *testing.T) {
	h := inferencetest.New(t)
	x := func() registry.Content { return registry.FromReader(strings.NewReader("no network")) }
	h.Promote(t, "broken", h.RegisterParts(t, "broken", x(), x()), registry.Production)
	m := inferencetest.Run(t, h.Source(t))
	m.Until(t, "the load was tried often", func() bool { return loads(t, m, "broken", "failed") > 5 })
	if now := m.Readiness(); now.Ready || !slices.Equal(now.Missing, []string{"broken@production"}) || !slices.Equal(now.Failing, []string{"broken@1"}) {
		t.Errorf("where nothing answers it is %+v", now)
	}
	h.Serve(t, "a")
	m.Until(t, "ready", func() bool { return m.Readiness().Ready })
	if got := answers(m, registry.Ref{Model: "a"}); got != 1 || m.Readiness().Complete() {
		t.Errorf("ready, and %d answers; %+v", got, m.Readiness())
	}
	h.Promote(t, "broken", h.Register(t, "broken", 3), registry.Production)
	m.Until(t, "complete", func() bool { return m.Readiness().Complete() })
}

// loads returns the number of loads of a model with an outcome.
func loads(t *testing.T, m inferencetest.Running, model, outcome string) float64 {
	t.Helper()
	families, err := m.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "tkit_loads_total" {
			continue
		}
		for _, one := range f.GetMetric() {
			if labels := one.GetLabel(); labels[0].GetValue() == model && labels[1].GetValue() == outcome {
				return one.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// A source that fails for a while changes nothing.
type flakySource struct {
	inference.Source
	fail  atomic.Bool
	tried atomic.Int64
	ring  atomic.Pointer[inferencetest.Running]
}

func (s *flakySource) Aspirations(ctx context.Context) ([]inference.Aspiration, error) {
	if s.fail.Load() {
		s.tried.Add(1)
		if r := s.ring.Load(); r != nil {
			r.Ring()
		}
		return nil, errors.New("the database is away")
	}
	return s.Source.Aspirations(ctx)
}

func (s *flakySource) Parts(ctx context.Context, model string, version int) (inference.Parts, error) {
	if s.fail.Load() {
		return inference.Parts{}, errors.New("the disk is away")
	}
	return s.Source.Parts(ctx, model, version)
}

func TestManagerRetriesItsSource(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "a")
	source := &flakySource{Source: h.Source(t)}
	source.fail.Store(true)
	m := inferencetest.Run(t, source)
	source.ring.Store(&m)
	m.Until(t, "the source was tried again", func() bool { return source.tried.Load() > 1 })
	if _, err := m.Acquire(context.Background(), registry.Ref{Model: "a"}); inference.ReasonOf(err) != inference.Unavailable {
		t.Errorf("before it knows anything the manager answers %v", err)
	}
	source.fail.Store(false)
	m.Until(t, "it answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == 1 })
	source.fail.Store(true)
	h.Promote(t, "a", h.Register(t, "a", 5), registry.Production)
	before := source.tried.Load()
	m.Until(t, "the source was asked", func() bool { return source.tried.Load() > before })
	if got := answers(m, registry.Ref{Model: "a"}); got != 1 {
		t.Errorf("while its source fails, %d answers", got)
	}
	source.fail.Store(false)
	m.Until(t, "it caught up", func() bool { return answers(m, registry.Ref{Model: "a"}) == 2 })
}

// While the production alias moves back and forth, no request fails, and every
// result is from one version.
func TestManagerSwapsWithoutAFailedRequest(t *testing.T) {
	h := inferencetest.New(t)
	h.Register(t, "a", 1)
	h.Register(t, "a", 2)
	h.Promote(t, "a", 1, registry.Production)
	h.Serve(t, "b")
	m := h.Start(t)

	image := inferencetest.JPEG(t, 1)
	want := map[int][]float32{}
	for v := 1; v <= 2; v++ {
		h.Promote(t, "a", v, registry.Production)
		m.Until(t, "the version answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == v })
		want[v] = classify(t, m, registry.Ref{Model: "a"}, image)[0].Probabilities
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	var asked [3]atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, err := m.Acquire(context.Background(), registry.Ref{Model: "a"})
				if err != nil {
					t.Error(err)
					return
				}
				p, _, err := s.Classify(t.Context(), [][]byte{image})
				v := s.Number
				s.Release()
				if err != nil {
					t.Error(err)
					return
				}
				asked[v].Add(1)
				m.Ring()
				for k, x := range p[0].Probabilities {
					if d := x - want[v][k]; d > 1e-5 || d < -1e-5 {
						t.Errorf("version %d answered %v, alone %v", v, p[0].Probabilities, want[v])
						return
					}
				}
			}
		})
	}
	for i := range 20 {
		v := i%2 + 1
		h.Promote(t, "a", v, registry.Production)
		before := asked[v].Load()
		m.Until(t, "the version was asked", func() bool { return asked[v].Load() > before || t.Failed() })
	}
	close(stop)
	wg.Wait()
}

// A request keeps its version loaded while the production alias moves.
func TestHeldServableStaysUsable(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "a")
	m := h.Start(t)
	held, err := m.Acquire(context.Background(), registry.Ref{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	h.Promote(t, "a", h.Register(t, "a", 2), registry.Production)
	m.Until(t, "the new version answers", func() bool { return answers(m, registry.Ref{Model: "a"}) == 2 })
	m.Until(t, "the old one is being unloaded", func() bool {
		s, err := m.Status(registry.Ref{Model: "a", Version: 1})
		return err == nil && s.Versions[0].State == inference.Unloading
	})
	if _, _, err := held.Classify(t.Context(), [][]byte{inferencetest.JPEG(t, 1)}); err != nil {
		t.Errorf("the held version: %v", err)
	}
	held.Release()
	m.Until(t, "the old one is gone", func() bool { _, err := m.Status(registry.Ref{Model: "a", Version: 1}); return err != nil })
}

func TestServableRefusesBadImages(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "a")
	m := h.Start(t)
	good := inferencetest.JPEG(t, 1)
	s, err := m.Acquire(context.Background(), registry.Ref{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for _, test := range []struct {
		name   string
		image  []byte
		reason inference.Reason
	}{
		{"empty", nil, inference.EmptyImage},
		{"text", []byte("this is no image, whatever its name says"), inference.UnsupportedImage},
		{"truncated", good[:len(good)/2], inference.TruncatedImage},
		{"30,000 × 30,000", bigPNG(), inference.TooManyPixels},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := s.Classify(t.Context(), [][]byte{good, test.image})
			var row *inference.RowError
			if !errors.As(err, &row) || row.Index != 1 || inference.ReasonOf(err) != test.reason {
				t.Errorf("got %v, reason %q; want %q of image 1", err, inference.ReasonOf(err), test.reason)
			}
		})
	}
	if _, _, err := s.Classify(t.Context(), slices.Repeat([][]byte{good}, inferencetest.MaxImages+1)); inference.ReasonOf(err) != inference.TooLarge {
		t.Errorf("too many images: %v", err)
	}
	if _, _, err := s.Classify(t.Context(), nil); inference.ReasonOf(err) != inference.BadRequest {
		t.Errorf("no images: %v", err)
	}
}

// bigPNG is the beginning of a PNG that would be 30,000 × 30,000.
func bigPNG() []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x75\x30\x00\x00\x75\x30\x08\x02\x00\x00\x00")
	b.WriteString("\x00\x00\x00\x00") // the checksum, which is never read
	return b.Bytes()
}

package inference

import (
	"context"
	"errors"
	"slices"
	"testing"

	"tkit/registry"
)

// Whether a server is ready, given the states of its models.
func TestReady(t *testing.T) {
	failed := func(times int) *version { return &version{state: End, failures: times, err: errors.New("no network")} }
	loading := func(failures int) *version { return &version{state: Loading, failures: failures} }
	up := &version{state: Available}
	for _, test := range []struct {
		name     string
		versions []*version // each of a different model; nil: not begun
		want     bool
	}{
		{"nothing is wanted", nil, true},
		{"all answer", []*version{up, up}, true},
		{"one has not begun", []*version{up, nil}, false},
		{"one is loading", []*version{up, loading(0)}, false},
		{"one has failed", []*version{up, failed(1)}, false},
		{"one is broken", []*version{up, failed(broken)}, true},
		{"one is broken and tried again", []*version{up, loading(broken)}, true},
		{"all are broken", []*version{failed(broken), failed(broken + 1)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			models := map[string]*model{}
			for i, v := range test.versions {
				name := string(rune('a' + i))
				models[name] = &model{aspiration: Aspiration{Model: name, Versions: []int{1}}, versions: map[int]*version{}}
				if v != nil {
					models[name].versions[1] = v
				}
			}
			views := newView(models).models
			if got := ready(false, true, views); got != test.want {
				t.Errorf("ready is %v", got)
			}
			if ready(false, false, views) || !ready(true, true, views) {
				t.Error("ready before the source was read, or no longer ready")
			}
		})
	}
}

func TestReadinessOfAModel(t *testing.T) {
	k := &model{
		aspiration: Aspiration{Model: "m", Versions: []int{1, 2}, Labels: map[string]int{"production": 2}},
		versions:   map[int]*version{1: {state: Available}, 2: {state: End, failures: 1, err: errors.New("no network")}},
		routes:     map[string]int{"production": 1},
	}
	r := k.readiness()
	if len(r.missing) > 0 || !slices.Equal(r.failing, []string{"m@2"}) || !r.waiting || !r.answers {
		t.Errorf("%+v", r)
	}
}

// wants is a source that wants one version of one model.
type wants struct{ Source }

func (wants) Aspirations(context.Context) ([]Aspiration, error) {
	return []Aspiration{{Model: "m", Versions: []int{1}}}, nil
}

// The fact that the source was read becomes visible together with what it wants.
// Otherwise a manager would seem complete, and its models unknown instead of not
// loaded yet.
func TestStartedTogetherWithWhatIsWanted(t *testing.T) {
	m := NewManager(wants{}, nil, ManagerOptions{Metrics: NewMetrics()})
	m.aspire(t.Context())
	if r := m.Readiness(); r.Started || r.Complete() {
		t.Errorf("before anything is published: %+v", r)
	}
	m.publish()
	if r := m.Readiness(); !r.Started || r.Complete() {
		t.Errorf("with a model that is not loaded: %+v", r)
	}
	_, err := m.Acquire(t.Context(), registry.Ref{Model: "m", Version: 1})
	if reason := ReasonOf(err); reason != Unavailable {
		t.Errorf("%v", err)
	}
}

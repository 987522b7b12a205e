package inference

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestPreserveAvailability(t *testing.T) {
	const wanted, routed = true, true
	for _, test := range []struct {
		name     string
		versions []VersionState
		want     []Action
	}{
		{"nothing", nil, nil},
		{"first version loads", []VersionState{
			{Version: 1, Wanted: wanted},
		}, []Action{{Load, 1}}},
		{"loading is left alone", []VersionState{
			{Version: 1, Wanted: wanted, Known: true, State: Loading},
			{Version: 2, Wanted: wanted, Known: true, State: Start},
		}, nil},
		{"new one loads while the old one answers", []VersionState{
			{Version: 1, Routed: routed, Known: true, State: Available},
			{Version: 2, Wanted: wanted},
		}, []Action{{Load, 2}}},
		{"old one stays while the new one loads", []VersionState{
			{Version: 1, Routed: routed, Known: true, State: Available},
			{Version: 2, Wanted: wanted, Known: true, State: Loading},
		}, nil},
		{"old one stays while the new one fails", []VersionState{
			{Version: 1, Routed: routed, Known: true, State: Available},
			{Version: 2, Wanted: wanted, Known: true, State: End, RetryAt: noon.Add(time.Second)},
		}, nil},
		{"old one goes once the new one answers", []VersionState{
			{Version: 1, Known: true, State: Available},
			{Version: 2, Wanted: wanted, Routed: routed, Known: true, State: Available},
		}, []Action{{Unload, 1}}},
		{"failed load is retried when its rest is over", []VersionState{
			{Version: 2, Wanted: wanted, Known: true, State: End, RetryAt: noon},
		}, []Action{{Load, 2}}},
		{"failed load that is no longer wanted is not", []VersionState{
			{Version: 2, Known: true, State: End, RetryAt: noon},
		}, nil},
		{"model withdrawn", []VersionState{
			{Version: 1, Known: true, State: Available},
			{Version: 2, Known: true, State: Available},
		}, []Action{{Unload, 2}, {Unload, 1}}},
		{"roll back to one that is being unloaded waits for its end", []VersionState{
			{Version: 1, Wanted: wanted, Known: true, State: Unloading},
			{Version: 2, Routed: routed, Known: true, State: Available},
		}, nil},
		{"newest loads first, unloads before loads", []VersionState{
			{Version: 1, Known: true, State: Available},
			{Version: 3, Wanted: wanted},
			{Version: 4, Wanted: wanted},
		}, []Action{{Unload, 1}, {Load, 4}, {Load, 3}}},
		{"pinned version without a label stays", []VersionState{
			{Version: 3, Wanted: wanted, Known: true, State: Available},
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := PreserveAvailability(test.versions, noon); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNextRetry(t *testing.T) {
	soon, late := noon.Add(time.Second), noon.Add(time.Minute)
	failed := func(at time.Time, wanted bool) VersionState {
		return VersionState{Wanted: wanted, Known: true, State: End, RetryAt: at}
	}
	for _, test := range []struct {
		name     string
		versions []VersionState
		want     time.Time
	}{
		{"none", nil, time.Time{}},
		{"earliest", []VersionState{failed(late, true), failed(soon, true)}, soon},
		{"not wanted", []VersionState{failed(soon, false)}, time.Time{}},
		{"due is not later", []VersionState{failed(noon, true)}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := nextRetry(test.versions, noon); !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestBackOff(t *testing.T) {
	for n, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 7: time.Minute, 1000: time.Minute,
	} {
		if got := backOff(n, time.Second, time.Minute); got != want {
			t.Errorf("after %d failures: %v, want %v", n, got, want)
		}
	}
}

func TestStateNames(t *testing.T) {
	for s, want := range map[State]string{Start: "START", Loading: "LOADING", Available: "AVAILABLE", Unloading: "UNLOADING", End: "END", 9: "UNKNOWN"} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", int(s), s, want)
		}
	}
}

package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A slow directory returns after a while, with its groups at that time.
type slow struct {
	mu     sync.Mutex
	takes  time.Duration
	groups []Principal
	err    error
	asked  atomic.Int64
	most   atomic.Int64 // at once
	now    atomic.Int64
}

func (s *slow) set(takes time.Duration, err error, groups ...Principal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes, s.err, s.groups = takes, err, groups
}

func (s *slow) of(ctx context.Context, _ member) ([]Principal, error) {
	s.asked.Add(1)
	for now := s.now.Add(1); ; {
		if most := s.most.Load(); now <= most || s.most.CompareAndSwap(most, now) {
			break
		}
	}
	defer s.now.Add(-1)
	s.mu.Lock()
	takes := s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups, s.err
}

// groupCacheTest runs a test of the cache with a fake clock.
func groupCacheTest(t *testing.T, f func(t *testing.T, d *slow, r *groupCache)) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{}
		r := newGroupCache(d.of)
		defer r.close()
		f(t, d, r)
	})
}

var alice = member{principal: "user:alice"}

// A frequent caller never waits, and changes in the directory take effect
// within five seconds.
func TestGroupCacheRefreshes(t *testing.T) {
	groupCacheTest(t, func(t *testing.T, d *slow, r *groupCache) {
		d.set(time.Second, nil, "group:a")
		if got, err := r.of(t.Context(), alice); err != nil || !slices.Equal(got, []Principal{"group:a"}) {
			t.Fatal(got, err)
		}
		d.set(time.Second, nil, "group:b")
		changed := time.Now()
		for {
			before := time.Now()
			got, err := r.of(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(before); waited > 0 {
				t.Fatalf("waited for %v", waited)
			}
			if slices.Equal(got, []Principal{"group:b"}) {
				break
			}
			if time.Since(changed) > 5*time.Second {
				t.Fatal("five seconds later the groups are the old ones")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := d.asked.Load(); n > 3 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

// If a directory fails or hangs, its last result is used for some seconds; then
// groups are unknown, which is reported at once or when the caller's context
// ends.
func TestGroupCacheFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		err   error
	}{"fails": {0, errors.New("no route")}, "hangs": {time.Hour, nil}} {
		t.Run(name, func(t *testing.T) {
			groupCacheTest(t, func(t *testing.T, d *slow, r *groupCache) {
				d.set(0, nil, "group:a")
				if _, err := r.of(t.Context(), alice); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				d.set(c.takes, c.err)
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					_, err := r.of(ctx, alice)
					cancel()
					if err == nil {
						if time.Since(began) > 5*time.Second {
							t.Fatal("old groups still count")
						}
						time.Sleep(50 * time.Millisecond)
						continue
					}
					if !errors.Is(err, ErrUnknownGroups) || c.err != nil && !errors.Is(err, c.err) || c.err == nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
					break
				}
				if since := time.Since(began); since < 3*time.Second {
					t.Errorf("it counted for %v only", since)
				}
				// It is asked again, and its result is used again.
				d.set(0, nil, "group:b")
				time.Sleep(lookUpTimeout)
				if got, err := r.of(t.Context(), alice); err != nil || !slices.Equal(got, []Principal{"group:b"}) {
					t.Errorf("back again: %v, %v", got, err)
				}
			})
		})
	}
}

// Many concurrent callers cause one look-up each, a limited number at a time,
// and each gets its own result.
func TestGroupCacheOfMany(t *testing.T) {
	groupCacheTest(t, func(t *testing.T, d *slow, r *groupCache) {
		d.set(100*time.Millisecond, nil, "group:a")
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if _, err := r.of(t.Context(), member{principal: User(fmt.Sprint(i % 100))}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if asked, most := d.asked.Load(), d.most.Load(); asked != 100 || most > lookUps {
			t.Errorf("%d look-ups, %d at once", asked, most)
		}
	})
}

// The first result of a slow directory is used, however long it took.
func TestGroupCacheFirstAnswer(t *testing.T) {
	groupCacheTest(t, func(t *testing.T, d *slow, r *groupCache) {
		d.set(stale+time.Second, nil, "group:a")
		if got, err := r.of(t.Context(), alice); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if n := d.asked.Load(); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

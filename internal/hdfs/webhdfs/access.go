package webhdfs

import (
	"context"
	"iter"
	"sync"

	"tkit/internal/guard"
)

// askers is how many questions about permissions are under way at once. More
// make a NameNode no faster.
const askers = 16

// MayRead asks the NameNode whether a user may read every file of a list of
// absolute paths, and names the first of the list that it denies: *fs.PathError
// with fs.ErrPermission, or fs.ErrNotExist. Nothing is read, and nothing is
// concluded from modes or ACLs here.
//
// The client must be able to act as the user: as its own, as anyone on a
// cluster without Kerberos, or as one whom the cluster lets it act for
// (hadoop.proxyuser).
func (c *Client) MayRead(ctx context.Context, user string, paths iter.Seq[string]) error {
	var (
		group  sync.WaitGroup
		free   = make(chan struct{}, askers)
		denied firstError
	)
	if user == c.user {
		user = "" // nobody is acted for but whom the client is for
	}
	place := 0
	for path := range paths {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		// What was asked is answered, since a path before may be denied too:
		// the list's first is told and not the clock's.
		if ctx.Err() != nil || denied.any() {
			break
		}
		at := place
		place++
		group.Go(func() {
			denied.note(at, guard.Call(func() error { return c.mayRead(ctx, user, path) }))
			<-free
		})
	}
	group.Wait()
	if denied.err == nil {
		return ctx.Err()
	}
	return denied.err
}

func (c *Client) mayRead(ctx context.Context, user, path string) error {
	op := operation{verb: "open", name: "CHECKACCESS", path: path, query: map[string]string{"fsaction": "r--"}, user: user}
	return c.call(ctx, op, func(answer) error { return nil })
}

// firstError is the error with the lowest place.
type firstError struct {
	mu    sync.Mutex
	place int
	err   error
}

func (f *firstError) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil
}

func (f *firstError) note(place int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && (f.err == nil || place < f.place) {
		f.place, f.err = place, err
	}
}

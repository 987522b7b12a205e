package webhdfs

import (
	"context"
	"iter"
	"sync"

	"tkit/internal/guard"
)

// askers is how many permission checks run at once. More do not make a NameNode
// faster.
const askers = 16

// MayRead asks the NameNode whether a user may read every file of a list of
// absolute paths. The error names the first file of the list that is denied: an
// *fs.PathError with fs.ErrPermission, or fs.ErrNotExist. No data is read, and
// modes and ACLs are not interpreted here.
//
// The client must be able to act as the user: its own user, any user on a
// cluster without Kerberos, or a user that the cluster lets it impersonate
// (hadoop.proxyuser).
func (c *Client) MayRead(ctx context.Context, user string, paths iter.Seq[string]) error {
	var (
		group  sync.WaitGroup
		free   = make(chan struct{}, askers)
		denied firstError
	)
	if user == c.user {
		user = "" // the client's own user needs no doas
	}
	place := 0
	for path := range paths {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		// Checks that have begun are finished, because an earlier path may be
		// denied too: the error is for the first path in the list, not the
		// first answer.
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

// firstError keeps the error with the lowest position.
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

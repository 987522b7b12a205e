package db

import (
	"context"
	"iter"
	"time"
)

// Changes yields nil at once, and again whenever a periodic check finds that
// another connection, of any process, has committed. It yields an error if a
// check fails, and continues. The sequence ends with the context.
//
// A check costs some microseconds: SQLite counts commits in shared memory.
func (d *DB) Changes(ctx context.Context, every time.Duration) iter.Seq[error] {
	return func(yield func(error) bool) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for ctx.Err() == nil {
			if !d.watch(ctx, tick.C, yield) {
				return
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}
}

// watch checks until a check fails. It returns whether to continue with a new
// connection.
func (d *DB) watch(ctx context.Context, tick <-chan time.Time, yield func(error) bool) bool {
	// data_version reports the commits of all other connections, so a
	// connection that does nothing else sees them all.
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return ctx.Err() == nil && yield(d.named(err))
	}
	defer conn.Close()
	for last := int64(-1); ; {
		var now int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&now); err != nil {
			return ctx.Err() == nil && yield(d.named(err))
		}
		if now != last && !yield(nil) {
			return false
		}
		last = now
		select {
		case <-ctx.Done():
			return false
		case <-tick:
		}
	}
}

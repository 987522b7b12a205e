package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// silence is how long nothing is heard before the connection is tried: a network
	// that was cut says nothing.
	silence = 10 * time.Second
	// answer bounds how long the server may take to answer.
	answer = 5 * time.Second
)

// Changes yields nil once it listens to a channel of notifications, and again at each
// notification. It yields an error if the connection is lost, and then nil when it
// listens again, after the given interval at the earliest. The sequence ends with the
// context. Notifications of one transaction are one, and come when it has committed.
func (d *DB) Changes(ctx context.Context, channel string, every time.Duration) iter.Seq[error] {
	return func(yield func(error) bool) {
		for ctx.Err() == nil {
			err := d.listen(ctx, channel, yield)
			if err == nil || ctx.Err() != nil || !yield(d.named(err)) {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
	}
}

// listen listens with a connection of its own until it is lost. It returns nil if the
// caller has heard enough.
func (d *DB) listen(ctx context.Context, channel string, yield func(error) bool) error {
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answer)
		defer cancel()
		conn.Close(ctx) // if it fails, the server notices that the connection is gone
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	for yield(nil) {
		if err := next(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a notification.
func next(ctx context.Context, conn *pgx.Conn) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, silence)
		_, err := conn.WaitForNotification(quiet)
		ended := quiet.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !ended {
			return err
		}
		within, cancel := context.WithTimeout(ctx, answer)
		err = conn.Ping(within)
		cancel()
		if err != nil {
			return err
		}
	}
}

package notify

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"tkit/ingest/commit"
	"tkit/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// most is the number of images that are written in one transaction.
	most = 1000
	// memory is how long an image that was told is remembered, so that a repeated
	// delivery does not tell it again.
	memory = 24 * time.Hour
)

// An Image is what a message tells about an image.
type Image struct {
	SHA256      string  `json:"sha256"`
	Source      string  `json:"source"`
	Label       string  `json:"label"` // "" if it is not classified
	Probability float64 `json:"probability"`
}

// An outbox keeps the images that wait for a message, on disk. Its methods may be called
// concurrently, and processes may share it.
type outbox struct {
	db     *db.DB
	images *commit.Group[Image]
}

func openOutbox(ctx context.Context, path string) (*outbox, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, path, db.Schema{Name: "notify", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	o := &outbox{db: d}
	o.images = commit.NewGroup(most, o.insert)
	return o, nil
}

func (o *outbox) close() error {
	o.images.Close()
	return o.db.Close()
}

// add adds an image, and returns when it is on disk. An image that waits or was told is
// not added again.
func (o *outbox) add(ctx context.Context, i Image) error { return o.images.Do(ctx, i) }

func (o *outbox) insert(images []Image) []error {
	ctx := context.Background() // a transaction that has begun ends soon
	return commit.All(len(images), o.db.Write(ctx, func(tx *sql.Tx) error {
		for _, i := range images {
			_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO images (sha256, source, label, probability, arrived) VALUES (?, ?, ?, ?, ?)",
				i.SHA256, i.Source, i.Label, i.Probability, time.Now().UnixMilli())
			if err != nil {
				return fmt.Errorf("outbox: %w", err)
			}
		}
		return nil
	}))
}

// A backlog is what waits in an outbox.
type backlog struct {
	images int
	oldest time.Time // of the images
	recent int       // messages in the time of the limit
	first  time.Time // of these messages
}

func (o *outbox) backlog(ctx context.Context, since time.Time) (b backlog, err error) {
	var oldest, first sql.NullInt64
	err = o.db.Read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*), min(arrived) FROM images WHERE told IS NULL").Scan(&b.images, &oldest); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT count(*), min(sent) FROM messages WHERE sent > ?", since.UnixMilli()).Scan(&b.recent, &first)
	})
	b.oldest, b.first = time.UnixMilli(oldest.Int64), time.UnixMilli(first.Int64)
	return b, err
}

// begin decides what the next message is about, and returns its id and that of its last
// image. A message that was begun and is not known to be sent is the next one again.
func (o *outbox) begin(ctx context.Context) (id string, last int64, err error) {
	err = o.db.Write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT id, last FROM sending").Scan(&id, &last)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT max(id) FROM images WHERE told IS NULL").Scan(&last); err != nil {
			return err
		}
		id = rand.Text()
		_, err = tx.ExecContext(ctx, "INSERT INTO sending (id, last) VALUES (?, ?)", id, last)
		return err
	})
	return id, last, err
}

// digest returns what waits up to the id of an image, with the first images.
func (o *outbox) digest(ctx context.Context, last int64, first int) (d Digest, err error) {
	err = o.db.Read(ctx, func(tx *sql.Tx) error {
		var from, to int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*), min(arrived), max(arrived) FROM images WHERE told IS NULL AND id <= ?", last).Scan(&d.Images, &from, &to); err != nil {
			return err
		}
		d.From, d.To = time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC()
		if d.Labels, err = labelsOf(ctx, tx, last); err != nil {
			return err
		}
		d.First, err = firstOf(ctx, tx, last, first)
		return err
	})
	return d, err
}

func labelsOf(ctx context.Context, tx *sql.Tx, last int64) (all []Count, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT label, count(*) FROM images WHERE told IS NULL AND id <= ? GROUP BY label ORDER BY count(*) DESC, label", last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Count
		if err := rows.Scan(&c.Label, &c.Images); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func firstOf(ctx context.Context, tx *sql.Tx, last int64, n int) (all []Image, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT sha256, source, label, probability FROM images WHERE told IS NULL AND id <= ? ORDER BY id LIMIT ?", last, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i Image
		if err := rows.Scan(&i.SHA256, &i.Source, &i.Label, &i.Probability); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// told remembers that the images up to an id were in the message that was begun, or were
// given up, and forgets those of long ago.
func (o *outbox) told(ctx context.Context, last int64, sent bool) error {
	now := time.Now()
	return o.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE images SET told = ? WHERE told IS NULL AND id <= ?", now.UnixMilli(), last); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM sending"); err != nil {
			return err
		}
		if sent {
			if _, err := tx.ExecContext(ctx, "INSERT INTO messages (sent) VALUES (?)", now.UnixMilli()); err != nil {
				return err
			}
		}
		old := now.Add(-memory).UnixMilli()
		if _, err := tx.ExecContext(ctx, "DELETE FROM images WHERE told < ?", old); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM messages WHERE sent < ?", old)
		return err
	})
}

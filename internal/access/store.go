package access

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"tkit/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store keeps the policy of a home in its database. Its methods may be
// called at once, and by several processes.
type Store struct {
	db         *db.DB
	path       string
	opened     fs.FileInfo // what stood there
	generation *sql.Stmt
	current    atomic.Pointer[Policy]
}

// OpenStore opens the policy of a home and makes what is missing.
func OpenStore(ctx context.Context, home string) (*Store, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	path := filepath.Join(home, "registry.db")
	d, err := db.Open(ctx, path, db.Room{Name: "access", Migrations: scripts})
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	s := &Store{db: d, path: path}
	if s.opened, err = os.Stat(path); err == nil {
		s.generation, err = d.Reader().PrepareContext(ctx, "SELECT n FROM access_generation")
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("access: %w", err)
	}
	return s, nil
}

// inPlace says whether the database is still the home's: one that was moved away,
// or replaced by a backup, is read on by who has it open, and changed by nobody.
func (s *Store) inPlace() error {
	found, err := os.Stat(s.path)
	if err == nil && !os.SameFile(found, s.opened) {
		err = fmt.Errorf("another file stands in place of %s: start again", s.path)
	}
	return err
}

// Close closes the store once the calls in progress have returned.
func (s *Store) Close() error {
	s.generation.Close() // which only lets go of memory
	return s.db.Close()
}

// Policy returns the policy in force. Where nothing has changed since it was
// last asked, that costs one look at a number.
func (s *Store) Policy(ctx context.Context) (*Policy, error) {
	var generation int64
	if err := s.generation.QueryRowContext(ctx).Scan(&generation); err != nil {
		return nil, fmt.Errorf("access: reading the policy: %w", err)
	}
	if p := s.current.Load(); p != nil && p.generation == generation {
		return p, nil
	}
	var p *Policy
	err := s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		p, err = PolicyIn(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.current.Store(p)
	return p, nil
}

// PolicyIn reads the policy as a transaction on the home's database sees it:
// within a writing one it cannot change before the transaction ends.
func PolicyIn(ctx context.Context, tx *sql.Tx) (*Policy, error) {
	r := Rules{Owners: make(map[Object]Principal)}
	read := []func(context.Context, *sql.Tx, *Rules) error{readObjects, readSnapshots, readGrants, readExemptions, readTokens}
	err := tx.QueryRowContext(ctx, "SELECT n FROM access_generation").Scan(&r.Generation)
	for _, f := range read {
		if err == nil {
			err = f(ctx, tx, &r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("access: reading the policy: %w", err)
	}
	return NewPolicy(r), nil
}

// each calls f on every row of a query.
func each(ctx context.Context, tx *sql.Tx, query string, f func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func readObjects(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, "SELECT object, owner, uri, by, created FROM access_objects", func(rows *sql.Rows) error {
		var o Object
		var d Registered
		if err := rows.Scan(&o, &d.Owner, &d.URI, &d.By, (*moment)(&d.Created)); err != nil {
			return err
		}
		r.Owners[o] = d.Owner
		if o.Kind() != datasetKind {
			return nil
		}
		d.Name = o.Name()
		if _, ok := placeOf(d.URI); !ok {
			return fmt.Errorf("dataset %s lies at %q, which is no place", d.Name, d.URI)
		}
		r.Datasets = append(r.Datasets, d)
		return nil
	})
}

func readSnapshots(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, "SELECT dataset, digest, entries, by, at FROM access_snapshots", func(rows *sql.Rows) error {
		var o Object
		var s Snapshot
		err := rows.Scan(&o, &s.Digest, &s.Entries, &s.By, (*moment)(&s.At))
		s.Dataset = o.Name()
		r.Snapshots = append(r.Snapshots, s)
		return err
	})
}

func readGrants(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, object, effect, principal, right, purpose, expires, reason, by, at
		FROM access_grants WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var g Grant
		err := rows.Scan(&g.ID, &g.Object, &g.Effect, &g.Principal, &g.Right, &g.Purpose, (*moment)(&g.Expires), &g.Reason, &g.By, (*moment)(&g.At))
		r.Grants = append(r.Grants, g)
		return err
	})
}

func readExemptions(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, version, dataset, right, expires, reason, by, at
		FROM access_exemptions WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var e Exemption
		err := rows.Scan(&e.ID, &e.Version, &e.Dataset, &e.Right, (*moment)(&e.Expires), &e.Reason, &e.By, (*moment)(&e.At))
		r.Exemptions = append(r.Exemptions, e)
		return err
	})
}

func readTokens(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, hash, principal, purpose, note, by, created, expires
		FROM access_tokens WHERE revoked = '' ORDER BY created, id`, func(rows *sql.Rows) error {
		var t Token
		err := rows.Scan(&t.ID, &t.hash, &t.Principal, &t.Purpose, &t.Note, &t.By, (*moment)(&t.Created), (*moment)(&t.Expires))
		r.Tokens = append(r.Tokens, t)
		return err
	})
}

// moment is a time in a column; the zero time is the empty text.
type moment time.Time

const momentLayout = "2006-01-02T15:04:05.000000Z"

// now is the present, as exact as a column holds it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (m moment) String() string {
	if time.Time(m).IsZero() {
		return ""
	}
	return time.Time(m).UTC().Format(momentLayout)
}

func (m *moment) Scan(column any) error {
	text, ok := column.(string)
	if !ok {
		return fmt.Errorf("a time is a %T in the database", column)
	}
	if text == "" {
		*m = moment{}
		return nil
	}
	t, err := time.Parse(momentLayout, text)
	*m = moment(t)
	return err
}

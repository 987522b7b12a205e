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
	"tkit/internal/home"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store keeps the policy of a home in its database. Its methods may be called
// concurrently, also by several processes.
type Store struct {
	db         *db.DB
	home       string // its identity
	path       string
	opened     fs.FileInfo // what stood there
	generation *sql.Stmt
	current    atomic.Pointer[Policy]
}

// OpenStore opens the policy of the home in a folder and makes what is missing.
// It refuses a database that is not the one that the home was used with; see
// [home.Open].
func OpenStore(ctx context.Context, folder string) (*Store, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	d, err := home.Open(ctx, folder, db.Schema{Name: "access", Migrations: scripts})
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	s := &Store{db: d, path: filepath.Join(folder, home.Database)}
	if s.opened, err = os.Stat(s.path); err == nil {
		s.generation, err = d.Reader().PrepareContext(ctx, "SELECT n, id FROM access_generation, home")
	}
	if err == nil {
		_, err = s.look(ctx)
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("access: %w", err)
	}
	return s, nil
}

// inPlace checks that the database file is still the one that was opened. A process
// goes on reading a database that was moved away, replaced by a backup or emptied,
// and would see no further changes.
func (s *Store) inPlace() error {
	found, err := os.Stat(s.path)
	switch {
	case err != nil:
		return err
	case !os.SameFile(found, s.opened):
		return fmt.Errorf("another file stands in place of %s: start again", s.path)
	case found.Size() == 0:
		return fmt.Errorf("%w: %s was emptied: restore it and start again", home.ErrLost, s.path)
	}
	return nil
}

// Close closes the store once the calls in progress have returned.
func (s *Store) Close() error {
	s.generation.Close() // which only lets go of memory
	return s.db.Close()
}

// Policy returns the policy in force. Where nothing has changed since the last call, it
// reads one number.
func (s *Store) Policy(ctx context.Context) (*Policy, error) {
	generation, err := s.look(ctx)
	if err != nil {
		return nil, fmt.Errorf("access: reading the policy: %w", err)
	}
	if p := s.current.Load(); p != nil {
		if p.generation == generation {
			return p, nil
		}
		if p.generation > generation {
			return nil, fmt.Errorf("access: %s went back from state %d of the policy to %d: an older one was written over it; start again", s.path, p.generation, generation)
		}
	}
	var p *Policy
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		p, err = PolicyIn(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.current.Store(p)
	return p, nil
}

// look reads the generation of the policy. It refuses the database of another home that
// was written over this one's: its generations are not comparable.
func (s *Store) look(ctx context.Context) (generation int64, err error) {
	var id string
	if err := s.generation.QueryRowContext(ctx).Scan(&generation, &id); err != nil {
		return 0, err
	}
	if s.home == "" {
		s.home = id
	}
	if id != s.home {
		return 0, fmt.Errorf("%w: %s was overwritten: restore it and start again", home.ErrForeign, s.path)
	}
	return generation, nil
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
		var created string
		if err := rows.Scan(&o, &d.Owner, &d.URI, &d.By, &created); err != nil {
			return err
		}
		var wrong error
		_, noOwner := ParsePrincipal(string(d.Owner))
		d.Created, wrong = db.ParseTime(created)
		r.unreadable(o, "registration", noOwner, wrong)
		r.Owners[o] = d.Owner
		if o.Kind() != DatasetKind {
			return nil
		}
		d.Name = o.Name()
		if _, ok := placeOf(d.URI); !ok {
			r.unreadable(o, "place", fmt.Errorf("%.80q is none", d.URI))
			r.Unplaced = append(r.Unplaced, o)
		}
		r.Datasets = append(r.Datasets, d)
		return nil
	})
}

func readSnapshots(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, "SELECT dataset, digest, entries, by, at FROM access_snapshots", func(rows *sql.Rows) error {
		var o Object
		var s Snapshot
		var at string
		if err := rows.Scan(&o, &s.Digest, &s.Entries, &s.By, &at); err != nil {
			return err
		}
		s.Dataset = o.Name()
		s.At, _ = db.ParseTime(at) // it restricts whenever it was taken
		r.Snapshots = append(r.Snapshots, s)
		return nil
	})
}

func readGrants(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, object, effect, principal, right, purpose, expires, reason, by, at
		FROM access_grants WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var g Grant
		var expires, at string
		err := rows.Scan(&g.ID, &g.Object, &g.Effect, &g.Principal, &g.Right, &g.Purpose, &expires, &g.Reason, &g.By, &at)
		if err != nil {
			return err
		}
		var noExpiry, noTime error
		g.Expires, noExpiry = db.ParseTime(expires)
		g.At, noTime = db.ParseTime(at)
		g.unread = r.unreadable(g.Object, fmt.Sprintf("grant %d", g.ID), g.check(), noExpiry, noTime)
		r.Grants = append(r.Grants, g)
		return nil
	})
}

func readExemptions(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, version, dataset, right, expires, reason, by, at
		FROM access_exemptions WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var e Exemption
		var expires, at string
		if err := rows.Scan(&e.ID, &e.Version, &e.Dataset, &e.Right, &expires, &e.Reason, &e.By, &at); err != nil {
			return err
		}
		var noExpiry, noTime error
		e.Expires, noExpiry = db.ParseTime(expires)
		e.At, noTime = db.ParseTime(at)
		e.unread = r.unreadable("", fmt.Sprintf("declassification %d of %s", e.ID, e.Version), e.check(), noExpiry, noTime)
		r.Exemptions = append(r.Exemptions, e)
		return nil
	})
}

func readTokens(ctx context.Context, tx *sql.Tx, r *Rules) error {
	return each(ctx, tx, `SELECT id, hash, principal, purpose, note, by, created, expires
		FROM access_tokens WHERE revoked = '' ORDER BY created, id`, func(rows *sql.Rows) error {
		var t Token
		var hash, created, expires string
		if err := rows.Scan(&t.ID, &hash, &t.Principal, &t.Purpose, &t.Note, &t.By, &created, &expires); err != nil {
			return err
		}
		var noTime, noExpiry error
		t.Created, noTime = db.ParseTime(created)
		t.Expires, noExpiry = db.ParseTime(expires)
		t.unread = r.unreadable("", "token "+t.ID, t.hash.parse(hash), t.check(), noTime, noExpiry)
		r.Tokens = append(r.Tokens, t)
		return nil
	})
}

// now is the present, as exact as a column holds it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

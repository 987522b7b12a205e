// Package rows reads and writes the rows of a policy in SQL that SQLite and PostgreSQL
// both understand. The packages sqlite and postgres have the tables.
package rows

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tkit/access"
	"tkit/internal/db"
)

// A Transaction is an access.Writer.
type Transaction struct {
	ctx context.Context
	tx  *sql.Tx
}

var _ access.Writer = (*Transaction)(nil)

// In returns the rows in a transaction of the database. It is valid until that ends or
// the context does.
func In(ctx context.Context, tx *sql.Tx) *Transaction { return &Transaction{ctx, tx} }

// Rules implements access.Writer.
func (t *Transaction) Rules() (access.Rules, error) {
	r := access.Rules{Owners: make(map[access.Object]access.Principal), Damage: make(map[access.Object]error)}
	err := t.tx.QueryRowContext(t.ctx, "SELECT n FROM access_generation").Scan(&r.Generation)
	for _, read := range []func(*access.Rules) error{t.readObjects, t.readSnapshots, t.readGrants, t.readDeclassifications, t.readTokens} {
		if err == nil {
			err = read(&r)
		}
	}
	return r, err
}

// each calls f on every row of a query.
func (t *Transaction) each(query string, f func(*sql.Rows) error) error {
	rows, err := t.tx.QueryContext(t.ctx, query)
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

func (t *Transaction) readObjects(r *access.Rules) error {
	return t.each("SELECT object, owner, uri, by, created FROM access_objects WHERE removed = ''", func(rows *sql.Rows) error {
		var o access.Object
		var d access.Registered
		var created string
		if err := rows.Scan(&o, &d.Owner, &d.URI, &d.By, &created); err != nil {
			return err
		}
		r.Owners[o] = d.Owner
		if err := parseTime(&d.Created, created); err != nil {
			r.Damage[o] = err
		}
		if o.Kind() == access.DatasetKind {
			d.Name = o.Name()
			r.Datasets = append(r.Datasets, d)
		}
		return nil
	})
}

func (t *Transaction) readSnapshots(r *access.Rules) error {
	return t.each("SELECT dataset, digest, entries, by, at FROM access_snapshots WHERE revoked = ''", func(rows *sql.Rows) error {
		var o access.Object
		var s access.Snapshot
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

func (t *Transaction) readGrants(r *access.Rules) error {
	return t.each(`SELECT id, object, effect, principal, "right", purpose, expires, reason, by, at
		FROM access_grants WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var g access.Grant
		var expires, at string
		err := rows.Scan(&g.ID, &g.Object, &g.Effect, &g.Principal, &g.Right, &g.Purpose, &expires, &g.Reason, &g.By, &at)
		if err != nil {
			return err
		}
		g.Damage = errors.Join(parseTime(&g.Expires, expires), parseTime(&g.At, at))
		r.Grants = append(r.Grants, g)
		return nil
	})
}

func (t *Transaction) readDeclassifications(r *access.Rules) error {
	return t.each(`SELECT id, version, dataset, "right", expires, reason, by, at
		FROM access_exemptions WHERE revoked = '' ORDER BY id`, func(rows *sql.Rows) error {
		var e access.Declassification
		var expires, at string
		if err := rows.Scan(&e.ID, &e.Version, &e.Dataset, &e.Right, &expires, &e.Reason, &e.By, &at); err != nil {
			return err
		}
		e.Damage = errors.Join(parseTime(&e.Expires, expires), parseTime(&e.At, at))
		r.Declassifications = append(r.Declassifications, e)
		return nil
	})
}

func (t *Transaction) readTokens(r *access.Rules) error {
	return t.each(`SELECT id, hash, principal, purpose, note, by, created, expires
		FROM access_tokens WHERE revoked = '' ORDER BY created, id`, func(rows *sql.Rows) error {
		var k access.Token
		var hash, created, expires string
		if err := rows.Scan(&k.ID, &hash, &k.Principal, &k.Purpose, &k.Note, &k.By, &created, &expires); err != nil {
			return err
		}
		k.Damage = errors.Join(parseHash(k.Hash[:], hash), parseTime(&k.Created, created), parseTime(&k.Expires, expires))
		r.Tokens = append(r.Tokens, k)
		return nil
	})
}

// parseTime reads a column that has a time or, for never, is empty.
func parseTime(into *time.Time, column string) (err error) {
	*into, err = db.ParseTime(column)
	return err
}

// parseHash reads a column that has a token's hash.
func parseHash(into []byte, column string) error {
	raw, err := hex.DecodeString(column)
	if err != nil || copy(into, raw) != len(into) || len(raw) != len(into) {
		return errors.New("its hash is not a SHA-256")
	}
	return nil
}

// AuditKey reads the column that has the key of the audit log.
func AuditKey(column string) ([]byte, error) {
	key, err := hex.DecodeString(column)
	if err != nil || len(key) != sha256.Size {
		return nil, errors.New("the key of the audit log is damaged: restore the database from a backup")
	}
	return key, nil
}

func (t *Transaction) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

// changed executes a statement and returns how many rows it changed.
func (t *Transaction) changed(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert adds a row and returns its number, which the statement returns.
func (t *Transaction) insert(query string, args ...any) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx, query, args...).Scan(&id)
	return id, err
}

// AddObject implements access.Writer.
func (t *Transaction) AddObject(o access.Object, r access.Registered) error {
	n, err := t.changed(`INSERT INTO access_objects (object, owner, uri, by, created) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (object) DO UPDATE SET owner = excluded.owner, uri = excluded.uri, by = excluded.by, created = excluded.created,
			removed = '', remover = '' WHERE access_objects.removed <> ''`,
		o, r.Owner, r.URI, r.By, db.FormatTime(r.Created))
	if err == nil && n == 0 {
		err = fmt.Errorf("%s exists", o)
	}
	return err
}

// SetOwner implements access.Writer.
func (t *Transaction) SetOwner(o access.Object, owner access.Principal) error {
	return t.exec("UPDATE access_objects SET owner = $1 WHERE object = $2 AND removed = ''", owner, o)
}

// RemoveObject implements access.Writer.
func (t *Transaction) RemoveObject(o access.Object, by access.Principal, at time.Time) error {
	when := db.FormatTime(at)
	return errors.Join(
		t.exec("UPDATE access_grants SET revoked = $1, revoker = $2 WHERE object = $3 AND revoked = ''", when, by, o),
		t.exec("UPDATE access_exemptions SET revoked = $1, revoker = $2 WHERE dataset = $3 AND revoked = ''", when, by, o),
		t.exec("UPDATE access_snapshots SET revoked = $1, revoker = $2 WHERE dataset = $3 AND revoked = ''", when, by, o),
		t.exec("UPDATE access_objects SET removed = $1, remover = $2 WHERE object = $3 AND removed = ''", when, by, o))
}

// AddSnapshot implements access.Writer.
func (t *Transaction) AddSnapshot(s access.Snapshot) error {
	return t.exec(`INSERT INTO access_snapshots (dataset, digest, entries, by, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (dataset, digest) DO UPDATE SET entries = excluded.entries, by = excluded.by, at = excluded.at, revoked = '', revoker = ''
			WHERE access_snapshots.revoked <> ''`,
		access.Dataset(s.Dataset), s.Digest, s.Entries, s.By, db.FormatTime(s.At))
}

// AddGrant implements access.Writer.
func (t *Transaction) AddGrant(g access.Grant) (int64, error) {
	return t.insert(`INSERT INTO access_grants (object, effect, principal, "right", purpose, expires, reason, by, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
		g.Object, g.Effect, g.Principal, g.Right, g.Purpose, db.FormatTime(g.Expires), g.Reason, g.By, db.FormatTime(g.At))
}

// AddDeclassification implements access.Writer.
func (t *Transaction) AddDeclassification(e access.Declassification) (int64, error) {
	return t.insert(`INSERT INTO access_exemptions (version, dataset, "right", expires, reason, by, at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
		e.Version, e.Dataset, e.Right, db.FormatTime(e.Expires), e.Reason, e.By, db.FormatTime(e.At))
}

// AddToken implements access.Writer.
func (t *Transaction) AddToken(k access.Token) error {
	return t.exec("INSERT INTO access_tokens (id, hash, principal, purpose, note, by, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		k.ID, hex.EncodeToString(k.Hash[:]), k.Principal, k.Purpose, k.Note, k.By, db.FormatTime(k.Created), db.FormatTime(k.Expires))
}

// RevokeGrant implements access.Writer.
func (t *Transaction) RevokeGrant(id int64, by access.Principal, at time.Time) error {
	return t.exec("UPDATE access_grants SET revoked = $1, revoker = $2 WHERE id = $3 AND revoked = ''", db.FormatTime(at), by, id)
}

// RevokeDeclassification implements access.Writer.
func (t *Transaction) RevokeDeclassification(id int64, by access.Principal, at time.Time) error {
	return t.exec("UPDATE access_exemptions SET revoked = $1, revoker = $2 WHERE id = $3 AND revoked = ''", db.FormatTime(at), by, id)
}

// RevokeToken implements access.Writer.
func (t *Transaction) RevokeToken(id string, by access.Principal, at time.Time) error {
	return t.exec("UPDATE access_tokens SET revoked = $1, revoker = $2 WHERE id = $3 AND revoked = ''", db.FormatTime(at), by, id)
}

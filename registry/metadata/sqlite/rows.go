package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"tkit/internal/db"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// A transaction reads and writes the rows.
type transaction struct {
	ctx context.Context
	tx  *sql.Tx
}

// rowsOf collects the rows of a query; never nil.
func rowsOf[T any](t *transaction, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// row reads the only row of a query; found is false if there is none.
func (t *transaction) row(query string, args []any, into ...any) (found bool, err error) {
	err = t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t *transaction) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

func (t *transaction) Models() ([]metadata.Model, error) {
	return rowsOf(t, func(rows *sql.Rows) (m metadata.Model, err error) {
		err = rows.Scan(&m.Name, (*db.Time)(&m.Created), &m.Versions, &m.Latest)
		return m, err
	}, `SELECT name, created, count(*), max(version) FROM models JOIN versions ON model = name
		GROUP BY name ORDER BY name`)
}

func (t *transaction) Versions(model string) ([]metadata.Version, error) {
	return rowsOf(t, func(rows *sql.Rows) (v metadata.Version, err error) {
		err = rows.Scan(&v.Model, &v.Number, &v.Digest, &v.Deleted)
		return v, err
	}, `SELECT v.model, v.version, v.digest, d.event IS NOT NULL FROM versions AS v LEFT JOIN deletions AS d USING (model, version)
		WHERE ?1 = '' OR v.model = ?1 ORDER BY v.model, v.version`, model)
}

func (t *transaction) Version(model string, number int) (metadata.Version, bool, error) {
	v := metadata.Version{Model: model, Number: number}
	found, err := t.row(`SELECT v.digest, d.event IS NOT NULL FROM versions AS v LEFT JOIN deletions AS d USING (model, version)
		WHERE v.model = ? AND v.version = ?`, []any{model, number}, &v.Digest, &v.Deleted)
	return v, found, err
}

func (t *transaction) Manifest(model string, number int) (text []byte, err error) {
	_, err = t.row("SELECT manifest FROM versions WHERE model = ? AND version = ?", []any{model, number}, &text)
	return text, err
}

func (t *transaction) Parts(model string, number int) (map[string]blobs.Digest, error) {
	type part struct {
		name   string
		digest blobs.Digest
	}
	rows, err := rowsOf(t, func(rows *sql.Rows) (p part, err error) {
		err = rows.Scan(&p.name, &p.digest)
		return p, err
	}, "SELECT name, digest FROM parts WHERE model = ? AND version = ?", model, number)
	parts := make(map[string]blobs.Digest, len(rows))
	for _, p := range rows {
		parts[p.name] = p.digest
	}
	return parts, err
}

const selectAliases = `SELECT a.model, a.name, a.version, e.at, e.actor, e.reason
	FROM aliases AS a JOIN events AS e ON e.id = a.changed `

func scanAlias(rows *sql.Rows) (a metadata.Alias, err error) {
	err = rows.Scan(&a.Model, &a.Name, &a.Version, (*db.Time)(&a.Since), &a.Actor, &a.Reason)
	return a, err
}

func (t *transaction) Aliases(model string) ([]metadata.Alias, error) {
	return rowsOf(t, scanAlias, selectAliases+"WHERE ?1 = '' OR a.model = ?1 ORDER BY a.model, a.name", model)
}

func (t *transaction) Alias(model, name string) (metadata.Alias, bool, error) {
	found, err := rowsOf(t, scanAlias, selectAliases+"WHERE a.model = ? AND a.name = ?", model, name)
	if err != nil || len(found) == 0 {
		return metadata.Alias{}, false, err
	}
	return found[0], true, nil
}

func (t *transaction) Standing(model, name string) (s metadata.Standing, err error) {
	_, err = t.row("SELECT version, promoted FROM aliases WHERE model = ? AND name = ?", []any{model, name}, &s.Version, &s.Promotion)
	return s, err
}

func (t *transaction) Replaced(promotion int64) (s metadata.Standing, err error) {
	_, err = t.row(`SELECT earlier.version, earlier.id FROM events AS undone JOIN events AS earlier ON earlier.id = undone.replaced
		WHERE undone.id = ?`, []any{promotion}, &s.Version, &s.Promotion)
	return s, err
}

func (t *transaction) Events(model string, after int64) ([]metadata.Event, error) {
	return rowsOf(t, func(rows *sql.Rows) (e metadata.Event, err error) {
		var replaced sql.NullInt64
		err = rows.Scan(&e.ID, (*db.Time)(&e.At), &e.Actor, &e.Action, &e.Model, &e.Version, &e.Alias, &e.Previous,
			&e.Reason, &e.Digest, &replaced)
		e.Replaced = replaced.Int64
		return e, err
	}, `SELECT id, at, actor, action, model, version, alias, previous, reason, digest, replaced
		FROM events WHERE (?1 = '' OR model = ?1) AND id > ?2 ORDER BY id`, model, after)
}

func (t *transaction) Deletions(model string) ([]metadata.Deletion, error) {
	return rowsOf(t, func(rows *sql.Rows) (d metadata.Deletion, err error) {
		err = rows.Scan(&d.Model, &d.Number, (*db.Time)(&d.At), &d.Actor, &d.Reason)
		return d, err
	}, `SELECT d.model, d.version, e.at, e.actor, e.reason FROM deletions AS d JOIN events AS e ON e.id = d.event
		WHERE ?1 = '' OR d.model = ?1 ORDER BY d.model, d.version`, model)
}

func (t *transaction) LastEvent() (id int64, err error) {
	_, err = t.row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'", nil, &id)
	return id, err
}

func (t *transaction) Bases() ([]metadata.Base, error) {
	return rowsOf(t, func(rows *sql.Rows) (b metadata.Base, err error) {
		err = rows.Scan(&b.Name, &b.Digest, &b.Manifest, &b.Network)
		return b, err
	}, "SELECT name, digest, manifest, network FROM bases ORDER BY name")
}

func (t *transaction) AddVersion(v metadata.NewVersion) error {
	err := t.exec("INSERT INTO models VALUES (?, ?) ON CONFLICT DO NOTHING", v.Model, db.FormatTime(v.Created))
	if err != nil {
		return err
	}
	if err := t.exec("INSERT INTO versions VALUES (?, ?, ?, ?)", v.Model, v.Number, v.Digest, string(v.Manifest)); err != nil {
		return err
	}
	for name, digest := range v.Parts {
		if err := t.exec("INSERT INTO parts VALUES (?, ?, ?, ?)", v.Model, v.Number, name, digest); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) DeleteVersion(model string, number int, event int64) error {
	return t.exec("INSERT INTO deletions VALUES (?, ?, ?)", model, number, event)
}

func (t *transaction) AddEvent(e metadata.Event) (id int64, err error) {
	result, err := t.tx.ExecContext(t.ctx,
		`INSERT INTO events (at, actor, action, model, version, alias, previous, reason, digest, replaced)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		db.FormatTime(e.At), e.Actor, e.Action, e.Model, e.Version, e.Alias, e.Previous, e.Reason, e.Digest,
		sql.NullInt64{Int64: e.Replaced, Valid: e.Replaced != 0})
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

func (t *transaction) SetAlias(model, name string, s metadata.Standing, changed int64) error {
	return t.exec(
		`INSERT INTO aliases (model, name, version, promoted, changed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, promoted = excluded.promoted, changed = excluded.changed`,
		model, name, s.Version, s.Promotion, changed)
}

func (t *transaction) RemoveAlias(model, name string) error {
	return t.exec("DELETE FROM aliases WHERE model = ? AND name = ?", model, name)
}

func (t *transaction) AddBase(b metadata.Base) error {
	return t.exec("INSERT INTO bases (name, digest, manifest, network) VALUES (?, ?, ?, ?)", b.Name, b.Digest, string(b.Manifest), b.Network)
}

func (t *transaction) RemoveBase(name string) error {
	return t.exec("DELETE FROM bases WHERE name = ?", name)
}

func (t *transaction) PolicyGeneration() (n int64, err error) {
	found, err := t.row("SELECT n FROM access_generation", nil, &n)
	if err == nil && !found {
		err = errors.New("the generation of the access policy is missing: restore the database from a backup")
	}
	return n, err
}

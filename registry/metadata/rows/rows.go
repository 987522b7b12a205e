// Package rows reads and writes the rows of a registry in SQL that SQLite and PostgreSQL
// both understand. The packages sqlite and postgres have the tables.
package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tkit/internal/db"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// A Dialect is what differs between the databases.
type Dialect struct {
	// LastEvent is the query of the highest ID ever assigned to an event, or 0.
	LastEvent string
}

// A Transaction is a metadata.Writer.
type Transaction struct {
	ctx     context.Context
	tx      *sql.Tx
	dialect Dialect
}

var _ metadata.Writer = (*Transaction)(nil)

// In returns the rows in a transaction of the database. It is valid until that ends or
// the context does.
func In(ctx context.Context, tx *sql.Tx, d Dialect) *Transaction { return &Transaction{ctx, tx, d} }

// The queries of Find: of the number, the digest, and whether the version was deleted.
const (
	// ByNumber has the parameters model and number.
	ByNumber = `SELECT v.version, v.digest, d.event IS NOT NULL FROM versions AS v LEFT JOIN deletions AS d USING (model, version)
		WHERE v.model = $1 AND v.version = $2`
	// ByAlias has the parameters model and alias.
	ByAlias = `SELECT v.version, v.digest, d.event IS NOT NULL FROM aliases AS a JOIN versions AS v USING (model, version)
		LEFT JOIN deletions AS d ON d.model = v.model AND d.version = v.version
		WHERE a.model = $1 AND a.name = $2`
	// ByBinding has the parameters application and model.
	ByBinding = `SELECT v.version, v.digest, d.event IS NOT NULL FROM bindings AS b LEFT JOIN aliases AS a ON a.model = b.model AND a.name = b.alias
		JOIN versions AS v ON v.model = b.model AND v.version = CASE b.version WHEN 0 THEN a.version ELSE b.version END
		LEFT JOIN deletions AS d ON d.model = v.model AND d.version = v.version
		WHERE b.application = $1 AND b.model = $2`
)

// rowsOf collects the rows of a query; never nil.
func rowsOf[T any](t *Transaction, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
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

// of returns the condition that a column is a model, with its argument; none for all
// models. A condition for both would keep the databases from using an index.
func of(model, column string) (where string, args []any) {
	if model == "" {
		return "", nil
	}
	return "WHERE " + column + " = $1", []any{model}
}

// row reads the only row of a query; found is false if there is none.
func (t *Transaction) row(query string, args []any, into ...any) (found bool, err error) {
	err = t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t *Transaction) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

func (t *Transaction) Models() ([]metadata.Model, error) {
	return rowsOf(t, func(rows *sql.Rows) (m metadata.Model, err error) {
		err = rows.Scan(&m.Name, (*db.Time)(&m.Created), &m.Versions, &m.Latest)
		return m, err
	}, `SELECT name, created, count(*), max(version) FROM models JOIN versions ON model = name
		GROUP BY name ORDER BY name`)
}

func (t *Transaction) Versions(model string) ([]metadata.Version, error) {
	where, args := of(model, "v.model")
	return rowsOf(t, func(rows *sql.Rows) (v metadata.Version, err error) {
		err = rows.Scan(&v.Model, &v.Number, &v.Digest, &v.Deleted)
		return v, err
	}, `SELECT v.model, v.version, v.digest, d.event IS NOT NULL FROM versions AS v LEFT JOIN deletions AS d USING (model, version)
		`+where+" ORDER BY v.model, v.version", args...)
}

func (t *Transaction) Latest(model string) (number int, err error) {
	_, err = t.row("SELECT coalesce(max(version), 0) FROM versions WHERE model = $1", []any{model}, &number)
	return number, err
}

func (t *Transaction) Version(model string, number int) (metadata.Version, bool, error) {
	v := metadata.Version{Model: model, Number: number}
	found, err := t.row(`SELECT v.digest, d.event IS NOT NULL FROM versions AS v LEFT JOIN deletions AS d USING (model, version)
		WHERE v.model = $1 AND v.version = $2`, []any{model, number}, &v.Digest, &v.Deleted)
	return v, found, err
}

func (t *Transaction) Manifest(model string, number int) (text []byte, err error) {
	_, err = t.row("SELECT manifest FROM versions WHERE model = $1 AND version = $2", []any{model, number}, &text)
	return text, err
}

func (t *Transaction) Parts(model string, number int) (map[string]blobs.Digest, error) {
	type part struct {
		name   string
		digest blobs.Digest
	}
	rows, err := rowsOf(t, func(rows *sql.Rows) (p part, err error) {
		err = rows.Scan(&p.name, &p.digest)
		return p, err
	}, "SELECT name, digest FROM parts WHERE model = $1 AND version = $2", model, number)
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

func (t *Transaction) Aliases(model string) ([]metadata.Alias, error) {
	where, args := of(model, "a.model")
	return rowsOf(t, scanAlias, selectAliases+where+" ORDER BY a.model, a.name", args...)
}

func (t *Transaction) Alias(model, name string) (metadata.Alias, bool, error) {
	found, err := rowsOf(t, scanAlias, selectAliases+"WHERE a.model = $1 AND a.name = $2", model, name)
	if err != nil || len(found) == 0 {
		return metadata.Alias{}, false, err
	}
	return found[0], true, nil
}

const selectBindings = `SELECT b.application, b.model, b.alias, b.version, e.at, e.actor, e.reason
	FROM bindings AS b JOIN events AS e ON e.id = b.changed `

func scanBinding(rows *sql.Rows) (b metadata.Binding, err error) {
	err = rows.Scan(&b.Application, &b.Model, &b.Alias, &b.Version, (*db.Time)(&b.Since), &b.Actor, &b.Reason)
	return b, err
}

func (t *Transaction) Bindings(application, model string) ([]metadata.Binding, error) {
	const order = " ORDER BY b.application, b.model"
	if application != "" && model != "" {
		return rowsOf(t, scanBinding, selectBindings+"WHERE b.application = $1 AND b.model = $2"+order, application, model)
	}
	where, args := of(application, "b.application")
	if application == "" {
		where, args = of(model, "b.model")
	}
	return rowsOf(t, scanBinding, selectBindings+where+order, args...)
}

func (t *Transaction) Binding(application, model string) (metadata.Binding, bool, error) {
	found, err := t.Bindings(application, model)
	if err != nil || len(found) == 0 {
		return metadata.Binding{}, false, err
	}
	return found[0], true, nil
}

func (t *Transaction) SetBinding(b metadata.Binding, changed int64) error {
	return t.exec(
		`INSERT INTO bindings (application, model, alias, version, changed) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (application, model) DO UPDATE SET alias = excluded.alias, version = excluded.version, changed = excluded.changed`,
		b.Application, b.Model, b.Alias, b.Version, changed)
}

func (t *Transaction) RemoveBinding(application, model string) error {
	return t.exec("DELETE FROM bindings WHERE application = $1 AND model = $2", application, model)
}

func (t *Transaction) LastTime() (at time.Time, err error) {
	_, err = t.row("SELECT at FROM events ORDER BY id DESC LIMIT 1", nil, (*db.Time)(&at))
	return at, err
}

func (t *Transaction) Standing(model, name string) (s metadata.Standing, err error) {
	_, err = t.row("SELECT version, promoted FROM aliases WHERE model = $1 AND name = $2", []any{model, name}, &s.Version, &s.Promotion)
	return s, err
}

func (t *Transaction) Replaced(promotion int64) (s metadata.Standing, err error) {
	_, err = t.row(`SELECT earlier.version, earlier.id FROM events AS undone JOIN events AS earlier ON earlier.id = undone.replaced
		WHERE undone.id = $1`, []any{promotion}, &s.Version, &s.Promotion)
	return s, err
}

func (t *Transaction) Events(model string, after int64) ([]metadata.Event, error) {
	where, args := of(model, "model")
	if model == "" {
		where = "WHERE true"
	}
	return rowsOf(t, func(rows *sql.Rows) (e metadata.Event, err error) {
		var replaced sql.NullInt64
		err = rows.Scan(&e.ID, (*db.Time)(&e.At), &e.Actor, &e.Action, &e.Model, &e.Version, &e.Alias, &e.Previous,
			&e.Reason, &e.Digest, &replaced, &e.Application, &e.Detail)
		e.Replaced = replaced.Int64
		return e, err
	}, `SELECT id, at, actor, action, model, version, alias, previous, reason, digest, replaced, application, detail
		FROM events `+where+fmt.Sprintf(" AND id > $%d ORDER BY id", len(args)+1), append(args, after)...)
}

func (t *Transaction) Deletions(model string) ([]metadata.Deletion, error) {
	where, args := of(model, "d.model")
	return rowsOf(t, func(rows *sql.Rows) (d metadata.Deletion, err error) {
		err = rows.Scan(&d.Model, &d.Number, (*db.Time)(&d.At), &d.Actor, &d.Reason)
		return d, err
	}, `SELECT d.model, d.version, e.at, e.actor, e.reason FROM deletions AS d JOIN events AS e ON e.id = d.event
		`+where+" ORDER BY d.model, d.version", args...)
}

func (t *Transaction) LastEvent() (id int64, err error) {
	_, err = t.row(t.dialect.LastEvent, nil, &id)
	return id, err
}

func (t *Transaction) Bases() ([]metadata.Base, error) {
	return rowsOf(t, func(rows *sql.Rows) (b metadata.Base, err error) {
		err = rows.Scan(&b.Name, &b.Digest, &b.Manifest, &b.Network)
		return b, err
	}, "SELECT name, digest, manifest, network FROM bases ORDER BY name")
}

func (t *Transaction) Properties(model string) ([]metadata.Property, error) {
	return rowsOf(t, func(rows *sql.Rows) (p metadata.Property, err error) {
		err = rows.Scan(&p.Model, &p.Version, &p.Name, &p.Value)
		return p, err
	}, "SELECT model, version, name, value FROM properties WHERE model = $1 ORDER BY version, name", model)
}

func (t *Transaction) Property(model string, version int, name string) (value string, err error) {
	_, err = t.row("SELECT value FROM properties WHERE model = $1 AND version = $2 AND name = $3", []any{model, version, name}, &value)
	return value, err
}

func (t *Transaction) SetProperty(p metadata.Property) error {
	if p.Value == "" {
		return t.exec("DELETE FROM properties WHERE model = $1 AND version = $2 AND name = $3", p.Model, p.Version, p.Name)
	}
	return t.exec(`INSERT INTO properties (model, version, name, value) VALUES ($1, $2, $3, $4)
		ON CONFLICT (model, version, name) DO UPDATE SET value = excluded.value`, p.Model, p.Version, p.Name, p.Value)
}

func (t *Transaction) Request(key string) (metadata.Request, bool, error) {
	r := metadata.Request{Key: key}
	found, err := t.row("SELECT asked, result FROM requests WHERE key = $1", []any{key}, &r.Asked, &r.Result)
	return r, found, err
}

func (t *Transaction) AddRequest(r metadata.Request) error {
	return t.exec("INSERT INTO requests (key, asked, result) VALUES ($1, $2, $3)", r.Key, r.Asked, r.Result)
}

func (t *Transaction) AddVersion(v metadata.NewVersion) error {
	err := t.exec("INSERT INTO models VALUES ($1, $2) ON CONFLICT DO NOTHING", v.Model, db.FormatTime(v.Created))
	if err != nil {
		return err
	}
	if err := t.exec("INSERT INTO versions VALUES ($1, $2, $3, $4)", v.Model, v.Number, v.Digest, string(v.Manifest)); err != nil {
		return err
	}
	for name, digest := range v.Parts {
		if err := t.exec("INSERT INTO parts VALUES ($1, $2, $3, $4)", v.Model, v.Number, name, digest); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transaction) DeleteVersion(model string, number int, event int64) error {
	return t.exec("INSERT INTO deletions VALUES ($1, $2, $3)", model, number, event)
}

func (t *Transaction) AddEvent(e metadata.Event) (id int64, err error) {
	_, err = t.row(`INSERT INTO events (at, actor, action, model, version, alias, previous, reason, digest, replaced, application, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		[]any{db.FormatTime(e.At), e.Actor, e.Action, e.Model, e.Version, e.Alias, e.Previous, e.Reason, e.Digest,
			sql.NullInt64{Int64: e.Replaced, Valid: e.Replaced != 0}, e.Application, e.Detail}, &id)
	return id, err
}

func (t *Transaction) SetAlias(model, name string, s metadata.Standing, changed int64) error {
	return t.exec(
		`INSERT INTO aliases (model, name, version, promoted, changed) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (model, name) DO UPDATE SET version = excluded.version, promoted = excluded.promoted, changed = excluded.changed`,
		model, name, s.Version, s.Promotion, changed)
}

func (t *Transaction) RemoveAlias(model, name string) error {
	return t.exec("DELETE FROM aliases WHERE model = $1 AND name = $2", model, name)
}

func (t *Transaction) AddBase(b metadata.Base) error {
	return t.exec("INSERT INTO bases (name, digest, manifest, network) VALUES ($1, $2, $3, $4)", b.Name, b.Digest, string(b.Manifest), b.Network)
}

func (t *Transaction) RemoveBase(name string) error {
	return t.exec("DELETE FROM bases WHERE name = $1", name)
}

func (t *Transaction) PolicyGeneration() (n int64, err error) {
	found, err := t.row("SELECT n FROM access_generation", nil, &n)
	if err == nil && !found {
		err = errors.New("the generation of the access policy is missing: restore the database from a backup")
	}
	return n, err
}

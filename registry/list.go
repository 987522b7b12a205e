package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Model is a name and the versions under it.
type Model struct {
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Versions int       `json:"versions"`
	Latest   int       `json:"latest"`
	Aliases  []Alias   `json:"aliases"`
}

// A Version is one version of a model.
type Version struct {
	Manifest *Manifest `json:"manifest"`
	// Digest is of the manifest, and so of all the version is.
	Digest Digest `json:"digest"`
	// Aliases are the names that the version has now.
	Aliases []string `json:"aliases"`
}

// List returns all models by name, with their aliases.
func (r *Registry) List(ctx context.Context) ([]Model, error) {
	var models []Model
	err := r.db.Read(ctx, func(tx *sql.Tx) (err error) {
		models, err = rowsOf(ctx, tx, func(rows *sql.Rows) (m Model, err error) {
			err = rows.Scan(&m.Name, (*moment)(&m.Created), &m.Versions, &m.Latest)
			return m, err
		}, `SELECT name, created, count(*), max(version) FROM models JOIN versions ON model = name
			GROUP BY name ORDER BY name`)
		if err != nil {
			return err
		}
		aliases, err := readAliases(ctx, tx, "")
		if err != nil {
			return err
		}
		at := make(map[string]int, len(models))
		for i, m := range models {
			at[m.Name] = i
		}
		for _, a := range aliases {
			m := &models[at[a.Model]]
			m.Aliases = append(m.Aliases, a)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("registry: listing the models: %w", err)
	}
	return models, nil
}

// Versions returns all versions of a model, the oldest first.
func (r *Registry) Versions(ctx context.Context, model string) ([]Version, error) {
	var versions []Version
	err := r.db.Read(ctx, func(tx *sql.Tx) error {
		type row struct {
			version int
			digest  Digest
		}
		rows, err := rowsOf(ctx, tx, func(rows *sql.Rows) (v row, err error) {
			err = rows.Scan(&v.version, &v.digest)
			return v, err
		}, "SELECT version, digest FROM versions WHERE model = ? ORDER BY version", model)
		if err != nil {
			return err
		}
		aliases, err := readAliases(ctx, tx, model)
		if err != nil {
			return err
		}
		for _, row := range rows {
			m, err := r.manifest(ctx, tx, Ref{Model: model, Version: row.version}, row.digest)
			if err != nil {
				return err
			}
			v := Version{Manifest: m, Digest: row.digest}
			for _, a := range aliases {
				if a.Version == row.version {
					v.Aliases = append(v.Aliases, a.Name)
				}
			}
			versions = append(versions, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the versions of %s: %w", model, err)
	}
	if len(versions) == 0 {
		return nil, r.notFound(ctx, Ref{Model: model, Alias: Production})
	}
	return versions, nil
}

// moment is a time in a column.
type moment time.Time

const momentLayout = "2006-01-02T15:04:05.000000Z"

// now is the present, as exact as a column holds it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (m moment) String() string { return time.Time(m).UTC().Format(momentLayout) }

func (m *moment) Scan(column any) error {
	text, ok := column.(string)
	if !ok {
		return fmt.Errorf("a time is a %T in the database", column)
	}
	t, err := time.Parse(momentLayout, text)
	if err != nil {
		return err
	}
	*m = moment(t)
	return nil
}

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
			m.Aliases = []Alias{}
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
	versions, err := r.versions(ctx, "model = ?", model)
	if err != nil {
		return nil, fmt.Errorf("listing the versions of %s: %w", model, err)
	}
	if len(versions) == 0 {
		return nil, r.notFound(ctx, Ref{Model: model, Alias: Production})
	}
	return versions, nil
}

// Version returns the version that ref refers to now. It is Resolve for
// people: it looks the aliases up as well.
func (r *Registry) Version(ctx context.Context, ref Ref) (Version, error) {
	m, err := r.Resolve(ctx, ref)
	if err != nil {
		return Version{}, err
	}
	versions, err := r.versions(ctx, "model = ? AND version = ?", m.Model, m.Version)
	if err != nil {
		return Version{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	return versions[0], nil
}

// versions returns the versions that a condition picks, with their aliases.
func (r *Registry) versions(ctx context.Context, where string, args ...any) ([]Version, error) {
	var versions []Version
	err := r.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := rowsOf(ctx, tx, func(rows *sql.Rows) (row versionRow, err error) {
			err = rows.Scan(&row.ref.Model, &row.ref.Version, &row.digest)
			return row, err
		}, "SELECT model, version, digest FROM versions WHERE "+where+" ORDER BY model, version", args...)
		if err != nil {
			return err
		}
		aliases, err := readAliases(ctx, tx, "")
		if err != nil {
			return err
		}
		for _, row := range rows {
			m, err := r.manifest(ctx, tx, row.ref, row.digest)
			if err != nil {
				return err
			}
			v := Version{Manifest: m, Digest: row.digest, Aliases: []string{}}
			for _, a := range aliases {
				if a.Model == row.ref.Model && a.Version == row.ref.Version {
					v.Aliases = append(v.Aliases, a.Name)
				}
			}
			versions = append(versions, v)
		}
		return nil
	})
	return versions, err
}

// versionRow is a version without its manifest.
type versionRow struct {
	ref    Ref
	digest Digest
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

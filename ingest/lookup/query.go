package lookup

import (
	"context"
	databasesql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"tkit/ingest/failure"
	"tkit/ingest/sql"
)

// Query asks a database. Its methods may be called concurrently. Close ends it.
type Query struct {
	database sql.Database
	text     string

	mu sync.Mutex
	db *databasesql.DB // nil before the first use
}

// NewQuery returns a query, whose parameters are $1, $2 in PostgreSQL and ?1, ?2 in
// SQLite. It connects to nothing.
func NewQuery(d sql.Database, text string) (*Query, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	return &Query{database: d, text: text}, nil
}

func (q *Query) open() (_ *databasesql.DB, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.db == nil {
		q.db, err = q.database.Open(false)
	}
	return q.db, err
}

// Close closes the connections.
func (q *Query) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.db == nil {
		return nil
	}
	return q.db.Close()
}

// Get runs the query, which must give at most one row. The answer is an object with the
// row's columns. An error is a *failure.Error.
func (q *Query) Get(ctx context.Context, values []any) (Answer, error) {
	arguments := make([]any, len(values))
	for i, value := range values {
		var err error
		if arguments[i], err = q.database.Argument(value); err != nil {
			return Answer{}, failed(failure.Lasting, fmt.Errorf("parameter %d: %w", i+1, err))
		}
	}
	db, err := q.open()
	if err != nil {
		return Answer{}, failed(failure.Unknown, err)
	}
	rows, err := db.QueryContext(ctx, q.text, arguments...)
	if err != nil {
		return Answer{}, ofDatabase(err)
	}
	defer rows.Close()
	if !rows.Next() {
		return Answer{}, ofDatabase(rows.Err())
	}
	row, err := objectOf(rows)
	if err != nil {
		return Answer{}, ofDatabase(err)
	}
	if rows.Next() {
		return Answer{}, failed(failure.Unknown, errors.New("the query gives more than one row: add a condition or a LIMIT"))
	}
	if err := rows.Err(); err != nil {
		return Answer{}, ofDatabase(err)
	}
	text, err := json.Marshal(row)
	if err != nil {
		return Answer{}, failed(failure.Unknown, err)
	}
	return Answer{Found: true, JSON: text}, nil
}

// ofDatabase returns the failure of an error of the database, or nil.
func ofDatabase(err error) error {
	switch {
	case err == nil:
		return nil
	case sql.IsMisconfigured(err):
		return failed(failure.Outage, fmt.Errorf("%w: %w", ErrMisconfigured, err))
	}
	return failed(sql.KindOf(err), err)
}

// objectOf returns the columns of a row by their names. Columns of JSON are not bytes.
func objectOf(rows *databasesql.Rows) (map[string]any, error) {
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	row := make(map[string]any)
	for i, column := range columns {
		row[column.Name()] = values[i]
		if text, is := values[i].([]byte); is && slices.Contains([]string{"JSON", "JSONB"}, column.DatabaseTypeName()) {
			row[column.Name()] = json.RawMessage(text)
		}
	}
	return row, nil
}

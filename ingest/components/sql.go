package components

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/sql"
)

// defaultColumns are the columns of tkit_sql and their mappings.
var defaultColumns = map[string]string{
	"source":        "@tkit_source",
	"model":         "@tkit_model",
	"version":       "@tkit_version",
	"label":         "@tkit_label",
	"probability":   "@tkit_probability",
	"results":       "@tkit_results",
	"restricted_by": "if @tkit_results == null { null } else { @tkit_results.map_each(r -> r.restricted_by).flatten().unique() }",
	"classified_at": "now()",
}

func sqlSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes one row for each image into a table of PostgreSQL or SQLite.").
		Description(`The row's key is the SHA-256 of the image's content. So each image has one row, however often it is
delivered, with the values of the last delivery. A row is committed before the image counts as delivered; images that
are delivered at the same time share a transaction. The pipeline waits for a database that does not answer. A row that the
database refuses, because of a constraint or a value of the wrong type, makes a dead letter of its image. If the table, a
column or a right is missing when the pipeline starts, it ends.`).
		Fields(append(databaseFields(),
			service.NewStringField("table").Description("TABLE or SCHEMA.TABLE. Upper and lower case differ."),
			service.NewStringField("key").Description("The column with the SHA-256 of the image as hexadecimal text. It must be unique.").Default("sha256"),
			service.NewStringMapField("columns").Description("The other columns, each with a mapping for its value, such as `camera: \"@camera\"` for the metadata camera. "+
				"Lists and objects are written as JSON. By default they are source, model, version, label, probability, results, restricted_by and classified_at.").Optional(),
			service.NewBoolField("create").Description("Create the table if it is missing. Columns of your own are text then.").Default(false),
			service.NewOutputMaxInFlightField().Default(64),
		)...)
}

// databaseFields are the fields that say where a database is.
func databaseFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringEnumField("driver", sql.Postgres, sql.SQLite).Description("The kind of database."),
		dsnField(), pathField(),
	}
}

func dsnField() *service.ConfigField {
	return service.NewStringField("dsn").Description("The connection string of PostgreSQL, such as postgres://USER:PASSWORD@HOST/DATABASE.").Default("").Secret()
}

func pathField() *service.ConfigField {
	return service.NewStringField("path").Description("The file of SQLite, relative to the pipeline's file.").Default("")
}

// scrubbed is what the engine gives instead of the value of a secret field while a
// pipeline is checked.
const scrubbed = "!!!SECRET_SCRUBBED!!!"

func databaseOf(f *fields, r *Run) sql.Database {
	d := sql.Database{Driver: f.text("driver"), DSN: f.text("dsn"), Path: f.text("path")}
	if d.Path != "" {
		d.Path = r.Path(d.Path)
	}
	if d.DSN == scrubbed {
		d.DSN = "postgres:///" // its form is checked when the pipeline starts
	}
	return d
}

// A sqlOutput is the output tkit_sql.
type sqlOutput struct {
	run     *Run
	table   sql.Table
	columns []expression // of the table's columns
	sink    *sql.Sink
	opened  atomic.Bool
}

func newSQL(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := &fields{config: c}
	o := &sqlOutput{run: r, table: sql.Table{Database: databaseOf(f, r), Name: f.text("table"), Key: f.text("key"), Create: f.boolean("create")}}
	columns := field(f, "columns", c.FieldStringMap)
	if len(columns) == 0 {
		columns = defaultColumns
	}
	if f.err != nil {
		return nil, 0, f.err
	}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		value, err := parseExpression(columns[column])
		if err != nil {
			return nil, 0, fmt.Errorf("the mapping of the column %s: %w", column, err)
		}
		o.table.Columns = append(o.table.Columns, column)
		o.columns = append(o.columns, value)
	}
	if err := o.table.Check(); err != nil {
		return nil, 0, err
	}
	parallel, err := c.FieldMaxInFlight()
	return o, parallel, err
}

func (o *sqlOutput) Connect(ctx context.Context) (err error) {
	o.sink, err = o.table.Open(ctx)
	if err != nil && sql.IsMisconfigured(err) && !o.opened.Load() {
		o.run.Fail(fmt.Errorf("tkit_sql: %w", err))
	}
	if err == nil {
		o.opened.Store(true)
	}
	return err
}

func (o *sqlOutput) Write(ctx context.Context, m *service.Message) error {
	if err := m.GetError(); err != nil {
		return err // a failed image is never written as a good one
	}
	image, err := m.AsBytes()
	if err != nil {
		return &failure.Error{Stage: sql.Stage, Err: err}
	}
	values := make([]any, len(o.columns))
	for i, column := range o.columns {
		if values[i], err = column.of(m); err != nil {
			return &failure.Error{Stage: sql.Stage, Err: fmt.Errorf("the column %s: %w", o.table.Columns[i], err)}
		}
	}
	return o.sink.Write(ctx, sha256.Sum256(image), values)
}

func (o *sqlOutput) Close(ctx context.Context) error {
	if o.sink == nil {
		return nil
	}
	return o.sink.Close(ctx)
}

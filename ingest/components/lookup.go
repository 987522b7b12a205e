package components

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/lookup"
)

// The policies for images about which nothing is found.
const (
	missingFail    = "fail"
	missingSkip    = "skip"
	missingDefault = "default"
	missingWait    = "wait"
)

// errNothingYet is the cause of an image that waits until something is found about it.
var errNothingYet = errors.New("nothing is found yet")

func lookupSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Adds what an HTTP service or a database knows about the image to its metadata.").
		Description(`It asks either a service, which answers in JSON, or a database, whose query gives one row as an object
of its columns. Answers are remembered. Images that need the same answer at the same time share one request. Nothing is found if
the service answers 404, 410, 204 or null, if the query gives no row, or if the path or a parameter is null. While the service or
the database does not answer, images wait. If it refuses the first request, because of a password or a missing table,
the pipeline ends.`).
		Fields(
			service.NewStringField("into").Description("The name of the metadata for the answer."),
			service.NewObjectField("http",
				service.NewStringField("server").Description("The URL of the service, such as https://assets.example.com/v1.").Default(""),
				service.NewStringField("path").Description("A mapping for the rest of the URL, such as `\"/cameras?id=\" + @camera.escape_url_query()`.").Default(""),
				service.NewStringMapField("headers").Description("Headers of the requests. Secret ones must come from the environment.").Optional(),
				service.NewStringField("ca").Description("A file with the certificates of the service's authority, relative to the pipeline's file. By default the system's are trusted.").Default(""),
			),
			service.NewObjectField("sql",
				service.NewStringField("driver").Description("The kind of database: `postgres` or `sqlite`.").Default(""),
				dsnField(), pathField(),
				service.NewStringField("query").Description("The query. Its parameters are $1, $2 in PostgreSQL, and ?1, ?2 in SQLite.").Default(""),
				service.NewStringListField("parameters").Description("Mappings for the values of the parameters, such as `@camera`.").Optional(),
			),
			service.NewDurationField("timeout").Description("The longest time of a request.").Default("10s"),
			service.NewObjectField("cache",
				service.NewIntField("size").Description("The number of answers to remember. 0 switches it off.").Default(10000),
				service.NewDurationField("ttl").Description("How long to remember an answer.").Default("5m"),
				service.NewDurationField("missing_ttl").Description("How long to remember that nothing was found.").Default("30s"),
			),
			service.NewStringEnumField("missing", missingFail, missingSkip, missingDefault, missingWait).
				Description("What happens if nothing is found: the image becomes a dead letter; the metadata are left out, and counted; they are `default`; the image waits until something is found.").
				Default(missingFail),
			service.NewAnyField("default").Description("The metadata if nothing is found and `missing` is `default`.").Optional(),
		)
}

// A lookupProcessor is the processor tkit_lookup.
type lookupProcessor struct {
	run      *Run
	cache    *lookup.Cache
	into     string
	missing  string
	value    json.RawMessage // of the policy default
	inputs   []expression    // the path, or the parameters
	http     *lookup.HTTP    // nil if a database is asked
	query    *lookup.Query
	answered atomic.Bool
}

func newLookup(c *service.ParsedConfig, r *Run) (service.Processor, error) {
	f := &fields{config: c}
	cache := fields{config: c.Namespace("cache")}
	p := &lookupProcessor{run: r, into: f.text("into"), missing: f.text("missing")}
	o := lookup.Options{Size: cache.number("size"), TTL: cache.duration("ttl"), Missing: cache.duration("missing_ttl"), Timeout: f.duration("timeout")}
	if err := errors.Join(f.err, cache.err); err != nil {
		return nil, err
	}
	if p.missing == missingWait {
		o.Missing = time.Nanosecond // look again at each attempt
	}
	if p.into == "" || strings.HasPrefix(p.into, "tkit_") {
		return nil, errors.New("into must be a name that does not begin with tkit_")
	}
	if err := errors.Join(o.Check(), p.readDefault(c)); err != nil {
		return nil, err
	}
	if err := p.open(c, r); err != nil {
		return nil, err
	}
	var err error
	p.cache, err = lookup.NewCache(o)
	return p, err
}

// readDefault reads the value of the policy default.
func (p *lookupProcessor) readDefault(c *service.ParsedConfig) error {
	if given := c.Contains("default"); given != (p.missing == missingDefault) {
		return errors.New("the field default and `missing: default` need each other")
	} else if !given {
		return nil
	}
	value, err := c.FieldAny("default")
	if err == nil {
		p.value, err = json.Marshal(value)
	}
	return err
}

// open reads where the answers are: in a service or a database.
func (p *lookupProcessor) open(c *service.ParsedConfig, r *Run) (err error) {
	web, table := &fields{config: c.Namespace("http")}, &fields{config: c.Namespace("sql")}
	o := lookup.HTTPOptions{Server: web.text("server"), Headers: field(web, "headers", web.config.FieldStringMap), CA: web.text("ca")}
	if o.CA != "" {
		o.CA = r.Path(o.CA)
	}
	query, inputs := table.text("query"), table.texts("parameters")
	if err := errors.Join(web.err, table.err); err != nil {
		return err
	}
	switch {
	case (o.Server != "") == (query != ""):
		return errors.New("one of http.server and sql.query is needed")
	case o.Server != "":
		inputs = []string{web.text("path")}
		p.http, err = lookup.NewHTTP(o)
	default:
		p.query, err = lookup.NewQuery(databaseOf(table, r), query)
	}
	if err != nil {
		return err
	}
	for _, text := range inputs {
		e, err := parseExpression(text)
		if err != nil {
			return fmt.Errorf("the mapping %q: %w", text, err)
		}
		p.inputs = append(p.inputs, e)
	}
	return nil
}

func (p *lookupProcessor) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	answer, err := p.find(ctx, m)
	if err != nil {
		if errors.Is(err, lookup.ErrMisconfigured) && !p.answered.Load() {
			p.run.Fail(err)
		}
		return nil, err
	}
	if !answer.Found {
		switch p.missing {
		case missingFail:
			return nil, &failure.Error{Stage: lookup.Stage, Kind: failure.Lasting, Err: fmt.Errorf("nothing is found for %s", p.into)}
		case missingWait:
			return nil, &failure.Error{Stage: lookup.Stage, Kind: failure.Outage, Err: fmt.Errorf("%w for %s", errNothingYet, p.into)}
		case missingSkip:
			p.run.Metrics.missing.Inc()
			return service.MessageBatch{m}, nil
		}
		answer.JSON = p.value
	}
	// Each image gets values of its own, since mappings may change them.
	decoder := json.NewDecoder(bytes.NewReader(answer.JSON))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, &failure.Error{Stage: lookup.Stage, Err: err}
	}
	m.MetaSetMut(p.into, value)
	return service.MessageBatch{m}, nil
}

// find looks an image up.
func (p *lookupProcessor) find(ctx context.Context, m *service.Message) (lookup.Answer, error) {
	values := make([]any, len(p.inputs))
	for i, input := range p.inputs {
		value, err := input.of(m)
		if err != nil {
			return lookup.Answer{}, &failure.Error{Stage: lookup.Stage, Err: err}
		}
		if value == nil {
			return lookup.Answer{}, nil
		}
		values[i] = value
	}
	key, err := json.Marshal(values)
	if err != nil {
		return lookup.Answer{}, &failure.Error{Stage: lookup.Stage, Err: err}
	}
	answer, err := p.cache.Get(ctx, string(key), func(ctx context.Context) (lookup.Answer, error) {
		if p.query != nil {
			return p.query.Get(ctx, values)
		}
		path, is := values[0].(string)
		if !is {
			return lookup.Answer{}, &failure.Error{Stage: lookup.Stage, Err: errors.New("the mapping for the path does not give text")}
		}
		return p.http.Get(ctx, path)
	})
	if err == nil {
		p.answered.Store(true)
	}
	return answer, err
}

func (p *lookupProcessor) Close(context.Context) error {
	p.cache.Close()
	if p.http != nil {
		p.http.Close()
		return nil
	}
	return p.query.Close()
}

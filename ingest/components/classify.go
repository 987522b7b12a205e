package components

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/access"
	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/ingest/remote"
	"tkit/ingest/status"
	"tkit/registry"
)

// keepField is the field of tkit_classify for bottlenecks, and mostKept its largest value.
const (
	keepField = "keep_bottlenecks_gb"
	mostKept  = 1 << 20
)

func classifySpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Classifies the image with models of the home's registry, in this process or with a server.").
		Description(`The predictions are added to the metadata of the image: tkit_results has those of all models, with
the model, the version and its alias, the labels, the digest of the preprocessing and what restricts the version.
tkit_model, tkit_version, tkit_label and tkit_probability are those of the first model. Models that share a trunk and a
preprocessing need one pass through the trunk. An alias is followed when it moves. An image waits for a model that is
overloaded, and for a server that does not answer.`).
		Fields(
			service.NewStringListField("models").Description("MODEL (its production version), MODEL@VERSION or MODEL@ALIAS."),
			service.NewIntField("top").Description("The number of most probable labels of each model.").Default(5),
			service.NewIntField(keepField).Description("Keep the bottlenecks of the images, which the trunk computes, for the next training, until the cache of the home has this many GB; 0 keeps none, and a model of a server keeps none. If several classifiers of a pipeline have the field, the largest value counts for all.").Default(0),
			service.NewStringField("server").Description("The URL of a `tkit serve` that classifies with its models. By default this process does, with those of the home.").Default(""),
			service.NewStringField("token").Description("The token for the server. Its principal needs the right to use the models.").Default("").Secret(),
			service.NewStringField("ca").Description("A file with the certificates of the server's authority, relative to the pipeline's file. By default the system's are trusted.").Default(""),
		)
}

// A Local is what a tkit_classify needs in this process.
type Local struct {
	Models    []registry.Ref // none if a server classifies
	KeepBytes int64          // of bottlenecks; see classify.Keep
}

// Locally returns what a tkit_classify needs in this process. Its configuration is given
// as YAML, with the component's name.
func Locally(config string) (l Local, err error) {
	c, err := parseConfig(Classifier, classifySpec(), config)
	if err != nil {
		return l, err
	}
	f := &fields{config: c}
	l.Models, err = models(f)
	l.KeepBytes = int64(f.number(keepField)) << 30
	if f.text("server") != "" {
		l = Local{}
	}
	return l, errors.Join(err, f.err)
}

func models(f *fields) ([]registry.Ref, error) {
	names := f.texts("models")
	if f.err != nil {
		return nil, f.err
	}
	if len(names) == 0 {
		return nil, errors.New("models is empty: name a model")
	}
	refs := make([]registry.Ref, len(names))
	for i, name := range names {
		var err error
		if refs[i], err = registry.ParseRef(name); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// A classifier is the processor tkit_classify.
type classifier struct {
	run      *Run
	classify ClassifyFunc
	server   *remote.Client // nil if this process classifies
	models   []registry.Ref
	top      int
	answered atomic.Bool
}

func newClassifier(c *service.ParsedConfig, r *Run) (service.Processor, error) {
	f := &fields{config: c}
	refs, err := models(f)
	if err != nil {
		return nil, err
	}
	p := &classifier{run: r, classify: r.Classify, models: refs, top: f.number("top")}
	keep := f.number(keepField)
	o := remote.Options{URL: f.text("server"), Token: f.text("token"), CA: f.text("ca")}
	switch {
	case f.err != nil:
		return nil, f.err
	case p.top < 1:
		return nil, errors.New("top must be at least 1")
	case keep < 0 || keep > mostKept:
		return nil, fmt.Errorf("%s must be from 0 to %d", keepField, mostKept)
	case o.URL != "" && keep > 0:
		return nil, fmt.Errorf("%s needs models of the home: a server returns no bottlenecks", keepField)
	case o.URL == "" && (o.Token != "" || o.CA != ""):
		return nil, errors.New("token and ca are for a server: name it in the field server")
	case o.URL == "":
		return p, nil
	}
	if o.CA != "" {
		o.CA = r.Path(o.CA)
	}
	if p.server, err = remote.New(o); err != nil {
		return nil, err
	}
	p.classify = p.server.Classify
	return p, nil
}

func (p *classifier) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	image, err := m.AsBytes()
	if err != nil {
		return nil, &failure.Error{Stage: classify.Stage, Err: err}
	}
	results, err := p.classify(ctx, image, p.models, p.top)
	if err != nil {
		p.fatal(err)
		return nil, err
	}
	p.answered.Store(true)
	plain, err := plainOf(results)
	if err != nil {
		return nil, &failure.Error{Stage: classify.Stage, Err: err}
	}
	first := results[0]
	m.MetaSetMut(metaResults, plain)
	m.MetaSetMut(metaModel, first.Model)
	m.MetaSetMut(metaVersion, first.Version)
	m.MetaSetMut(metaLabel, first.Labels[0].Label)
	m.MetaSetMut(metaProbability, float64(first.Labels[0].Probability))
	source, _ := m.MetaGet(metaSource)
	p.run.Counters.Classified.Store(&Classified{Image: image, Recent: status.Recent{
		Time: time.Now().UTC(), Source: source, Model: fmt.Sprintf("%s@%d", first.Model, first.Version),
		Label: first.Labels[0].Label, Probability: float64(first.Labels[0].Probability),
	}})
	return service.MessageBatch{m}, nil
}

// fatal ends the run if the error says that it may not use a model, or that a server
// has no such model from the start.
func (p *classifier) fatal(err error) {
	missing := errors.Is(err, registry.ErrNotFound) && !p.answered.Load()
	if missing || errors.Is(err, access.ErrDenied) || errors.Is(err, access.ErrUnauthenticated) {
		p.run.Fail(err)
	}
}

// plainOf returns results as the engine's mappings read them: maps, lists and numbers.
func plainOf(results []classify.Result) (plain any, err error) {
	encoded, err := json.Marshal(results)
	if err == nil {
		err = json.Unmarshal(encoded, &plain)
	}
	return plain, err
}

func (p *classifier) Close(context.Context) error {
	if p.server != nil {
		p.server.Close()
	}
	return nil
}

package components

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/registry"
)

func classifySpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Classifies the image with models of the home's registry, in this process.").
		Description(`The predictions are added to the metadata of the image: tkit_results has those of all models, with
the model, the version and its alias, the labels, the digest of the preprocessing and what restricts the version.
tkit_model, tkit_version, tkit_label and tkit_probability are those of the first model. Models that share a trunk and a
preprocessing need one pass through the trunk. An alias is followed when it moves. An image waits for a model that is
overloaded.`).
		Fields(
			service.NewStringListField("models").Description("MODEL (its production version), MODEL@VERSION or MODEL@ALIAS."),
			service.NewIntField("top").Description("The number of most probable labels of each model.").Default(5),
		)
}

// Models returns the models that a tkit_classify names. Its configuration is given as
// YAML, with the component's name.
func Models(config string) ([]registry.Ref, error) {
	c, err := parseConfig(Classifier, classifySpec(), config)
	if err != nil {
		return nil, err
	}
	return models(&fields{config: c})
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
	run    *Run
	models []registry.Ref
	top    int
}

func newClassifier(c *service.ParsedConfig, r *Run) (service.Processor, error) {
	f := &fields{config: c}
	refs, err := models(f)
	if err != nil {
		return nil, err
	}
	p := &classifier{run: r, models: refs, top: f.number("top")}
	if f.err == nil && p.top < 1 {
		f.err = errors.New("top must be at least 1")
	}
	return p, f.err
}

func (p *classifier) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	image, err := m.AsBytes()
	if err != nil {
		return nil, &failure.Error{Stage: classify.Stage, Err: err}
	}
	results, err := p.run.Classify(ctx, image, p.models, p.top)
	if err != nil {
		p.run.lost(err)
		return nil, err
	}
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
	return service.MessageBatch{m}, nil
}

// plainOf returns results as the engine's mappings read them: maps, lists and numbers.
func plainOf(results []classify.Result) (plain any, err error) {
	encoded, err := json.Marshal(results)
	if err == nil {
		err = json.Unmarshal(encoded, &plain)
	}
	return plain, err
}

func (p *classifier) Close(context.Context) error { return nil }

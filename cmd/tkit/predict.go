package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/datasets"
	"tkit/inference"
	"tkit/internal/independence"
	"tkit/internal/inputfile"
	"tkit/internal/pipeline"
	"tkit/internal/printable"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// predictBatch is how many images are decoded and sent through the network at
// a time.
const predictBatch = 8

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "say what is on images, without a server",
		ArgsUsage: "IMAGE...",
		Description: `One line an image, the likeliest labels first. An image that cannot be used is
named with the reason, the others are classified all the same, and the exit
status is not zero.

Examples:
   tkit predict rose.jpg --model flowers
   tkit predict *.jpg --model flowers@7 --top 1
   tkit predict *.jpg --model flowers --json | jq -r '[.image, .labels[0].label] | @tsv'`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`MODEL` (its production version), MODEL@VERSION or MODEL@ALIAS"},
			purposeFlag(),
			&cli.IntFlag{Name: "top", Value: 3, Usage: "print the `N` likeliest labels"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object an image and line, for programs"},
		}, hostFlags()...),
		Action: inHome(predictImages),
	}
}

// A verdict is the line of one image.
type verdict struct {
	Image   string            `json:"image"`
	Model   string            `json:"model"`
	Version int               `json:"version"`
	Labels  []inference.Label `json:"labels,omitempty"`
	Error   string            `json:"error,omitempty"`
}

func predictImages(c *cli.Context) (err error) {
	if c.NArg() == 0 {
		return errors.New("predict takes IMAGE...; see `tkit predict --help`")
	}
	if c.String("model") == "" {
		return errors.New("predict: say with which --model; `tkit registry list` shows them")
	}
	ref, err := registry.ParseRef(c.String("model"))
	if err != nil {
		return err
	}
	r, err := openRegistry(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	m, err := r.Resolve(c.Context, ref)
	if err != nil {
		return err
	}
	lose, err := mayAsk(c, r, m)
	if err != nil {
		return err
	}
	defer func() { err = lose(err) }()
	classifier, closeAll, err := openClassifier(c.Context, r, m, pluginSteps(c))
	if err != nil {
		return fmt.Errorf("load %s: %w", m.Ref(), err)
	}
	defer func() { err = errors.Join(err, closeAll()) }()

	step := m.Preprocessing.Decoding()
	seen := &datasets.Details{Decode: &step}
	paths, failed := c.Args().Slice(), 0
	for at := 0; at < len(paths); at += predictBatch {
		if err := c.Context.Err(); err != nil {
			return err
		}
		batch := paths[at:min(at+predictBatch, len(paths))]
		verdicts, err := judge(c.Context, classifier, batch, c.Int("top"), seen)
		if err != nil {
			return err
		}
		for i := range verdicts {
			verdicts[i].Model, verdicts[i].Version = m.Model, m.Version
			if verdicts[i].Error != "" {
				failed++
			}
		}
		if err := printVerdicts(c, verdicts); err != nil {
			return err
		}
	}
	for _, w := range seen.Warnings() {
		printable.Fprintf(c.App.ErrWriter, "warning: %s\n", w)
	}
	if failed > 0 {
		return fmt.Errorf("predict: %d of %d images could not be used", failed, len(paths))
	}
	return nil
}

// mayAsk decides whether who runs the command may use a version. From then on the
// command's context ends when they may no longer. The caller calls lose at the
// end, with the command's error, for the reason why it ended.
func mayAsk(c *cli.Context, r *registry.Registry, m *registry.Manifest) (lose func(error) error, err error) {
	lineage, err := catalog.Origins(c.Context, r, m)
	if err != nil {
		return nil, err
	}
	a, err := openAuthority(c)
	if err != nil {
		return nil, err
	}
	claim := a.NewPermission(access.Caller{Principal: a.who.Principal, Purpose: a.who.Purpose}, access.Needs{Used: lineage})
	if err := claim.Authorize(c.Context); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	held, release := hold(c.Context, claim)
	c.Context = held
	return func(err error) error {
		if lost := release(); err != nil && lost != nil {
			err = lost
		}
		return errors.Join(err, a.Close())
	}, nil
}

// openClassifier loads a version, with the plugins that it pins; the caller
// closes it.
func openClassifier(ctx context.Context, r *registry.Registry, m *registry.Manifest, plugins pipeline.Plugins) (_ *inference.Classifier, closeAll func() error, err error) {
	var opened []interface{ Close() error }
	closeOpened := func() error {
		var errs []error
		for _, o := range opened {
			errs = append(errs, o.Close())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeOpened())
		}
	}()
	trunkPath, err := r.BlobPath(ctx, m.Trunk.Digest)
	if err != nil {
		return nil, nil, err
	}
	headPath, err := r.BlobPath(ctx, m.Head.Digest)
	if err != nil {
		return nil, nil, err
	}
	classifier := &inference.Classifier{Labels: m.Labels}
	if classifier.Pipeline, err = pipeline.CompileWith(ctx, m.Preprocessing, plugins); err != nil {
		return nil, nil, err
	}
	opened = append(opened, classifier.Pipeline)
	if classifier.Trunk, err = inference.OpenTrunk(trunkPath, tensorflow.Config{}); err != nil {
		return nil, nil, independence.Retrain(err)
	}
	opened = append(opened, classifier.Trunk)
	if classifier.Head, err = inference.OpenHead(headPath, tensorflow.Config{RunInCaller: true}); err != nil {
		return nil, nil, err
	}
	opened = append(opened, classifier.Head)
	return classifier, closeOpened, nil
}

// judge reads and classifies images; one that cannot be read or used has its
// own error. The others are added to seen, unless a plugin is first to see them:
// what they hold is then its to use.
func judge(ctx context.Context, classifier *inference.Classifier, paths []string, top int, seen *datasets.Details) ([]verdict, error) {
	verdicts := make([]verdict, len(paths))
	var images [][]byte
	var read []int // which of the paths each image is
	for i, path := range paths {
		verdicts[i].Image = path
		encoded, err := inputfile.Read(ctx, path, datasets.DefaultMaxBytes)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			verdicts[i].Error = err.Error()
			continue
		}
		images, read = append(images, encoded), append(read, i)
	}
	results, err := classifier.Classify(ctx, images)
	if err != nil {
		return nil, err
	}
	for k, result := range results {
		if result.Err != nil {
			verdicts[read[k]].Error = result.Err.Error()
			continue
		}
		verdicts[read[k]].Labels = result.Top(top)
		if !classifier.Pipeline.Description().TakesAnyFile() {
			seen.Add(paths[read[k]], images[k])
		}
	}
	return verdicts, nil
}

func printVerdicts(c *cli.Context, verdicts []verdict) error {
	if c.Bool("json") {
		e := json.NewEncoder(c.App.Writer)
		for _, v := range verdicts {
			if err := e.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		if v.Error != "" {
			printable.Fprintf(t, "%s\terror: %s\n", v.Image, v.Error)
			continue
		}
		printable.Fprintf(t, "%s", v.Image)
		for _, l := range v.Labels {
			printable.Fprintf(t, "\t%s %.1f %%", l.Label, 100*l.Probability)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

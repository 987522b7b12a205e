package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/architectures"
	"tkit/datasets"
	"tkit/internal/bottlenecks"
	"tkit/internal/printable"
	"tkit/internal/workfolder"
	"tkit/plugins/steps"
	"tkit/registry"
	"tkit/train"
	"tkit/train/head"
	"tkit/train/progress"
	"tkit/train/scratch"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a classifier on a folder of images and register it as a new version",
		Description: `With --base, a new head is trained on what a pretrained network makes of the
images; its own weights stay as they are. With --architecture, a whole network
is trained from scratch; a run that was interrupted goes on where it was when
the same command is given again.

The dataset is a registered one, or a folder with a folder of images for each
class. What is wrong with an image is reported, and the image left out; images
that look alike are reported, or kept on one side of the split. The
version is registered when everything has succeeded; it is served once it is
promoted. A registered dataset needs the right to train, from the run's
beginning to its end; what was trained on it may be used by those whom the
dataset allows.

Examples:
   tkit train --base bases/resnet50 --data photos --name flowers
   tkit train --base bases/resnet50 --preprocessing caffe --cut conv4_block6_out:avg --data photos --name flowers
   tkit train --base bases/resnet50 --data frames --name cranes --look-alikes together
   tkit train --base flowers@3 --data herbs --per-class 20 --name herbs
   tkit train --base bases/resnet50 --preprocessing scans.yaml --data scans --name scans
   tkit train --architecture lenet5 --data digits --name digits --epochs 20 --promote`,
		Flags:  append(trainFlags(), hostFlags()...),
		Action: trainVersion,
	}
}

// The flags of one way to train, by their heading in the help.
const (
	headFlags    = "with --base:"
	scratchFlags = "with --architecture:"
)

// trainFlags are what a run is described by; how plugins are run is not a part
// of that.
func trainFlags() []cli.Flag {
	const (
		what   = "what to train:"
		data   = "the images:"
		vary   = "varied images, with --architecture or --copies:"
		output = "the result:"
	)
	flags := []cli.Flag{
		&cli.StringFlag{Category: what, Name: "base", Usage: "a SavedModel's folder, or a registered `MODEL[@VERSION]`, to put a new head on"},
		&cli.StringFlag{Category: what, Name: "architecture", Usage: "train this `NETWORK` from scratch; see `tkit architectures list`"},
		&cli.StringFlag{Category: what, Name: "preprocessing", Usage: "how images become input: caffe, tf, torch, unit, none, or a YAML `FILE` of steps (default: the base's or architecture's own)"},
		&cli.StringSliceFlag{Category: what, Name: "tag", Usage: "tags of the base's meta graph, where it has several"},
		&cli.StringFlag{Category: what, Name: "signature", Usage: "the base's signature, where it has several"},
		&cli.StringFlag{Category: what, Name: "input", Usage: "the base's input that takes the images, where several could"},
		&cli.StringFlag{Category: what, Name: "output", Usage: "the base's output whose layers to use, where it has several (default: the deepest)"},
		&cli.StringFlag{Category: what, Name: "name", Usage: "the `MODEL` to register a version of"},

		&cli.StringFlag{Category: data, Name: "data", Usage: "a registered dataset's `NAME`, or a folder with a folder of images for each class"},
		&cli.StringFlag{Category: data, Name: "purpose", Usage: "say what it is for: `TEXT`; some grants are for one purpose only"},

		&cli.StringFlag{Category: headFlags, Name: "cut", Value: train.AutoCut, Usage: "where the head begins: `ENDPOINT[:POOL]` with a pool of avg, avg2, avg4 or flatten, or auto"},
		&cli.BoolFlag{Category: headFlags, Name: "balanced", Usage: "weigh images so that every class counts the same"},
		&cli.IntFlag{Category: headFlags, Name: "cache-size", Value: 20, Usage: "keep at most `GB` of bottlenecks"},

		&cli.IntFlag{Category: headFlags, Name: "copies", DefaultText: "none", Usage: "add `N` varied copies of each training image; needs a way to vary"},

		&cli.IntFlag{Category: vary, Name: "shift", DefaultText: "off", Usage: "move training images by up to `PIXELS`"},
		&cli.BoolFlag{Category: vary, Name: "flip", Usage: "mirror half of the training images"},
		&cli.Float64Flag{Category: vary, Name: "brightness", DefaultText: "off", Usage: "vary by up to this part of the range"},
		&cli.Float64Flag{Category: vary, Name: "contrast", DefaultText: "off", Usage: "vary by up to this part"},

		&cli.IntFlag{Category: scratchFlags, Name: "epochs", Value: 30, Usage: "passes over the training images"},
		&cli.IntFlag{Category: scratchFlags, Name: "batch-size", Value: 32, Usage: "images in a step"},
		&cli.StringFlag{Category: scratchFlags, Name: "optimiser", Value: string(scratch.SGD), Usage: "sgd (with momentum) or adamw"},
		&cli.Float64Flag{Category: scratchFlags, Name: "learning-rate", DefaultText: "by the optimiser", Usage: "the schedule's highest: 0.05 for sgd, or what the network needs; 0.001 for adamw"},
		&cli.Float64Flag{Category: scratchFlags, Name: "momentum", Value: 0.9, Usage: "of sgd"},
		&cli.Float64Flag{Category: scratchFlags, Name: "weight-decay", Value: 1e-4, Usage: "of kernels"},
		&cli.StringFlag{Category: scratchFlags, Name: "schedule", Value: string(scratch.Cosine), Usage: "constant, cosine or steps"},
		&cli.Float64Flag{Category: scratchFlags, Name: "warmup", DefaultText: "none", Usage: "epochs over which the learning rate rises"},
		&cli.Float64Flag{Category: scratchFlags, Name: "label-smoothing", DefaultText: "off", Usage: "the part of a label given to all classes alike"},
		&cli.IntFlag{Category: scratchFlags, Name: "patience", DefaultText: "off", Usage: "end after `N` epochs without a better validation loss"},
		&cli.IntFlag{Category: scratchFlags, Name: "threads", DefaultText: "all cores", Usage: "threads for one operation"},

		&cli.StringFlag{Category: output, Name: "description", Usage: "a sentence for people"},
		&cli.BoolFlag{Category: output, Name: "promote", Usage: "promote the version to production at once"},
		&cli.BoolFlag{Category: output, Name: "json", Usage: "print events and the version as lines of JSON"},
	}
	return append(flags, splitFlags(data)...)
}

// trainVersion trains what the flags say and registers it.
func trainVersion(c *cli.Context) (err error) {
	if err := checkTrainFlags(c); err != nil {
		return err
	}
	r, err := openRegistry(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run := &training{Context: c, registry: r, plugins: pluginSteps(c)}
	if run.builtOn, err = builtOn(c, r); err != nil {
		return err
	}
	lose, err := run.claim(c)
	if err != nil {
		return err
	}
	defer func() { err = lose(err) }()
	if run.source, err = run.dataset.open(c); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	work, err := workfolder.New(c.Path("home"), registry.WorkPrefix)
	if err != nil {
		return fmt.Errorf("--home: %w", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	run.work = work.Path

	look, end, err := lookAlikes(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	// A restricted dataset is used whole or not at all.
	run.snapshot = datasets.SnapshotOptions{AllOrNothing: run.dataset.whole, Look: look}

	observe, ended := train.JSONLines(c.App.Writer), func() {}
	if !c.Bool("json") {
		observe, ended = progress.Show(c.App.ErrWriter, progress.Drawable(os.Stderr))
	}
	record := train.JSONLines(&run.told)
	run.observe = func(e train.Event) {
		switch e.(type) {
		case train.PhaseBegan, train.Progress, train.DataFound: // passing, or kept by itself
		default:
			record(e)
		}
		if found, ok := e.(train.DataFound); ok && !run.reads {
			found.Report = found.Report.Unnamed()
			e = found
		}
		observe(e)
	}
	var result *train.Result
	if c.String("base") != "" {
		result, err = run.fineTune()
	} else {
		result, err = run.fromScratch()
	}
	ended()
	if errors.Is(err, context.Canceled) && c.Context.Err() != nil {
		return fmt.Errorf("no version is registered; the same command goes on from what was computed: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	return run.register(result)
}

func checkTrainFlags(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("train: unexpected %q; every setting has a flag, see `tkit train --help`", c.Args().First())
	}
	if (c.String("base") == "") == (c.String("architecture") == "") {
		return errors.New("train: give either --base, to put a new head on a network, or --architecture, to train one from scratch")
	}
	for _, needed := range []string{"data", "name"} {
		if c.String(needed) == "" {
			return fmt.Errorf("train: --%s is missing; see `tkit train --help`", needed)
		}
	}
	if err := registry.CheckModelName(c.String("name")); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	if varied := (&training{Context: c}).augment() != (scratch.Augment{}); c.Int("copies") > 0 != varied && c.String("base") != "" {
		return errors.New("train: --copies needs a way to vary, and the other way round: --shift, --flip, --brightness or --contrast")
	}
	for _, f := range trainFlags() {
		if name := f.Names()[0]; c.IsSet(name) && idle(c, f) {
			return fmt.Errorf("--%s goes %s; give that, or leave --%s out", name, strings.TrimSuffix(heading(f), ":"), name)
		}
	}
	return nil
}

// idle says whether a flag is for the other way to train.
func idle(c *cli.Context, f cli.Flag) bool {
	return heading(f) == headFlags && c.String("base") == "" || heading(f) == scratchFlags && c.String("architecture") == ""
}

func heading(f cli.Flag) string { return f.(cli.CategorizableFlag).GetCategory() }

// training is one run of the command.
type training struct {
	*cli.Context
	registry *registry.Registry
	source   datasets.Source
	snapshot datasets.SnapshotOptions
	work     string
	observe  train.Observer
	told     bytes.Buffer   // what lasts of the events, as lines of JSON
	base     *registry.Base // nil from scratch
	plugins  *steps.Steps

	builtOn *registry.Manifest // the registered version behind --base, or nil
	dataset *dataset
	rights  *access.Permission
	derived string   // where what outlives the run is kept
	names   []string // of the registered datasets that the data is of
	reads   bool     // who trains may also see the data, and so names of images
	asking  *asking
}

func (t *training) augment() scratch.Augment {
	return scratch.Augment{Shift: t.Int("shift"), Flip: t.Bool("flip"),
		Brightness: t.Float64("brightness"), Contrast: t.Float64("contrast")}
}

func (t *training) fineTune() (*train.Result, error) {
	b, err := openBase(t)
	if err != nil {
		return nil, err
	}
	defer b.network.Close()
	t.base = &b.lineage
	result, err := train.FineTune(t.Context.Context, train.FineTuneOptions{
		Base: b.network, Preprocessing: b.preprocessing, Plugins: t.plugins, Source: t.source, Split: fractions(t.Context),
		Cut: t.String("cut"), Head: head.Options{Balanced: t.Bool("balanced")},
		Copies: t.Int("copies"), Augment: t.augment(), Seed: t.Uint64("seed"),
		Admit: t.admit("bottlenecks", b.preprocessing), Snapshot: t.snapshot, Work: t.work, Observer: t.observe,
	})
	if err != nil {
		return nil, err
	}
	keep := int64(t.Int("cache-size")) << 30
	if t.warnOfUnequal() {
		keep = 0 // nobody knows which bottlenecks to believe
	}
	if _, err := bottlenecks.Prune(t.derived, keep); err != nil {
		return nil, errors.Join(err, result.Close())
	}
	return result, nil
}

func (t *training) fromScratch() (*train.Result, error) {
	a, err := architectures.Lookup(t.String("architecture"))
	if err != nil {
		return nil, fmt.Errorf("--architecture: %w", err)
	}
	p := a.Preprocessing
	if given := t.String("preprocessing"); given != "" {
		if p, err = parsePreprocessing(t.Context.Context, given, a.Input); err != nil {
			return nil, err
		}
	}
	if p, err = p.Pin(t.plugins.Pin); err != nil {
		return nil, err
	}
	result, err := train.FromScratch(t.Context.Context, train.ScratchOptions{
		Architecture: a, Source: t.source, Split: fractions(t.Context), Preprocessing: p, Plugins: t.plugins, Observer: t.observe,
		Admit: t.admit("checkpoints", p), Snapshot: t.snapshot,
		Training: scratch.Options{
			Optimiser:      scratch.Optimiser(t.String("optimiser")),
			LearningRate:   t.Float64("learning-rate"),
			Momentum:       t.Float64("momentum"),
			WeightDecay:    t.Float64("weight-decay"),
			LabelSmoothing: t.Float64("label-smoothing"),
			Schedule:       scratch.Schedule(t.String("schedule")),
			Warmup:         t.Float64("warmup"),
			Epochs:         t.Int("epochs"),
			BatchSize:      t.Int("batch-size"),
			Patience:       t.Int("patience"),
			Threads:        t.Int("threads"),
			Seed:           t.Uint64("seed"),
			Augment:        t.augment(),
		},
	})
	t.warnOfUnequal()
	return result, err
}

// warnOfUnequal says which plugins were caught lying about being deterministic,
// if any.
func (t *training) warnOfUnequal() bool {
	caught := t.plugins.Unequal()
	if len(caught) > 0 {
		printable.Fprintf(t.App.ErrWriter, "warning: %s answered the same images differently, though said to be deterministic: "+
			"this run cannot be repeated, and nothing that it computed is kept for the next\n", strings.Join(caught, ", "))
	}
	return len(caught) > 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/internal/printable"
	"tkit/registry"
	"tkit/registry/versionpage"
	"tkit/train"
	"tkit/train/job"
	"tkit/train/progress"
	"tkit/train/scratch"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name: "train", Usage: "train a classifier on a folder of images and register it as a new version",
		Description: `With --base, tkit trains a new head on the outputs of a pretrained network, whose
own weights stay as they are. With --architecture, it trains a whole network from
scratch. A run that was interrupted continues when the same command is given
again.

The data is a registered dataset, or a folder that contains a folder of images
for each class. Images that cannot be used are reported and left out. The version
is registered after everything else has succeeded, and is served after it is
promoted. To train on a registered dataset takes the right to train, until the
run ends. Who may use the model follows from the rights on its data.

Examples:
   tkit train --base efficientnet-lite0 --data photos --name flowers
   tkit train --base exported/resnet50 --data photos --name flowers
   tkit train --base bases/resnet50 --preprocessing caffe --cut conv4_block6_out:avg --data photos --name flowers
   tkit train --base bases/resnet50 --data frames --name cranes --look-alikes together
   tkit train --base flowers@3 --data herbs --per-class 20 --name herbs
   tkit train --base bases/resnet50 --preprocessing scans.yaml --data scans --name scans
   tkit train --architecture lenet5 --data digits --name digits --epochs 20 --promote`,
		Flags:  append(trainFlags(), append(gpuFlags(), hostFlags()...)...),
		Action: trainVersion,
	}
}

// The headings in the help of the flags for one kind of training.
const (
	headFlags    = "with --base:"
	scratchFlags = "with --architecture:"
)

// trainFlags describe a run. The flags for running plugins are separate.
func trainFlags() []cli.Flag {
	const (
		what   = "what to train:"
		data   = "the images:"
		vary   = "varied images, with --architecture or --copies:"
		output = "the result:"
	)
	flags := []cli.Flag{
		&cli.StringFlag{Category: what, Name: "base", Usage: "train a new head for this `BASE`: a stored base's name, the path of a SavedModel or frozen graph, or a registered MODEL[@VERSION]"},
		&cli.StringFlag{Category: what, Name: "architecture", Usage: "train this `NETWORK` from scratch; tkit architectures list shows them"},
		&cli.StringFlag{Category: what, Name: "preprocessing", Usage: "how images become input: `WHAT` is caffe, tf, torch, unit, none, or a YAML file of steps", DefaultText: "the base's or architecture's own"},
		&cli.StringSliceFlag{Category: what, Name: "tag", Usage: "a `TAG` of the base's meta graph, where it has several; may be repeated"},
		&cli.StringFlag{Category: what, Name: "signature", Usage: "the `NAME` of the base's signature, where it has several"},
		&cli.StringFlag{Category: what, Name: "input", Usage: "the `NAME` of the base's input for the images, where it has several"},
		&cli.StringFlag{Category: what, Name: "output", Usage: "the `NAME` of the base's output whose layers to use, where it has several", DefaultText: "the deepest"},
		&cli.StringFlag{Category: what, Name: "name", Usage: "register a version of this `MODEL`"},

		&cli.StringFlag{Category: data, Name: "data", Usage: "train on this `DATA`: the name of a registered dataset, or a folder with a folder of images for each class"},
		&cli.StringFlag{Category: data, Name: "purpose", Usage: "the purpose of the run, as `TEXT`; some grants are for one purpose only"},

		&cli.StringFlag{Category: headFlags, Name: "cut", Value: train.AutoCut, Usage: "the head begins at `ENDPOINT[:POOL]`, with the pool avg, avg2, avg4, flatten or layers; auto chooses the endpoint"},
		&cli.BoolFlag{Category: headFlags, Name: "balanced", Usage: "weight images so that every class counts the same"},
		&cli.IntFlag{Category: headFlags, Name: "cache-size", Value: 20, Usage: "keep at most `GB` of bottlenecks in the cache"},

		&cli.IntFlag{Category: headFlags, Name: "copies", DefaultText: "none", Usage: "add `N` varied copies of each training image, with --shift, --flip, --brightness or --contrast"},

		&cli.IntFlag{Category: vary, Name: "shift", DefaultText: "off", Usage: "move training images by up to `PIXELS`"},
		&cli.BoolFlag{Category: vary, Name: "flip", Usage: "mirror half of the training images"},
		&cli.Float64Flag{Category: vary, Name: "brightness", DefaultText: "off", Usage: "vary the brightness by up to `PART` of the range, such as 0.1"},
		&cli.Float64Flag{Category: vary, Name: "contrast", DefaultText: "off", Usage: "vary the contrast by up to `PART`, such as 0.3"},

		&cli.IntFlag{Category: scratchFlags, Name: "epochs", Value: 30, Usage: "make `N` passes over the training images"},
		&cli.IntFlag{Category: scratchFlags, Name: "batch-size", Value: 32, Usage: "use `N` images in a step"},
		&cli.StringFlag{Category: scratchFlags, Name: "optimiser", Value: string(scratch.SGD), Usage: "the optimiser: `NAME` is sgd, which has momentum, or adamw"},
		&cli.Float64Flag{Category: scratchFlags, Name: "learning-rate", DefaultText: "0.05 or the network's own for sgd, 0.001 for adamw", Usage: "the highest learning `RATE` of the schedule"},
		&cli.Float64Flag{Category: scratchFlags, Name: "momentum", Value: 0.9, Usage: "the `MOMENTUM` of sgd"},
		&cli.Float64Flag{Category: scratchFlags, Name: "weight-decay", Value: 1e-4, Usage: "the weight `DECAY` of kernels"},
		&cli.StringFlag{Category: scratchFlags, Name: "schedule", Value: string(scratch.Cosine), Usage: "the schedule of the learning rate: `NAME` is constant, cosine or steps"},
		&cli.Float64Flag{Category: scratchFlags, Name: "warmup", DefaultText: "none", Usage: "raise the learning rate over the first `EPOCHS`"},
		&cli.Float64Flag{Category: scratchFlags, Name: "label-smoothing", DefaultText: "off", Usage: "spread `PART` of each label over all classes"},
		&cli.IntFlag{Category: scratchFlags, Name: "patience", DefaultText: "off", Usage: "stop after `N` epochs without a better validation loss"},
		&cli.IntFlag{Category: scratchFlags, Name: "threads", DefaultText: "all cores", Usage: "use `N` threads for one operation"},

		&cli.StringFlag{Category: output, Name: "description", Usage: "describe the version in a sentence: `TEXT`"},
		&cli.BoolFlag{Category: output, Name: "promote", Usage: "also promote the version to production"},
		&cli.BoolFlag{Category: output, Name: "json", Usage: "print events and the version as lines of JSON"},
	}
	return append(flags, splitFlags(data)...)
}

// trainVersion trains a version as described by the flags, and registers it.
func trainVersion(c *cli.Context) error {
	for _, f := range trainFlags() {
		if name := f.Names()[0]; c.IsSet(name) && idle(c, f) {
			return commandline.Usagef("--%s is only valid %s; give that, or omit --%s", name, strings.TrimSuffix(heading(f), ":"), name)
		}
	}
	o := trainOptions(c)
	if err := o.Check(); err != nil {
		return commandline.Usage(err)
	}
	if err := catalog.CheckTraining(options(c), catalog.TrainingOptions{Data: o.Data, Base: o.Base}); err != nil {
		return err
	}
	v, err := runTraining(c, o)
	if v.Manifest == nil {
		if errors.Is(err, context.Canceled) && c.Context.Err() != nil {
			err = fmt.Errorf("no version was registered; the same command continues from the intermediate results: %w", err)
		}
		return err
	}
	return errors.Join(err, printTrained(c, v, err == nil && o.Promote))
}

func runTraining(c *cli.Context, o job.Options) (v registry.Version, err error) {
	k, who, err := openCatalog(c)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	observe, ended := train.JSONLines(c.App.Writer), func() {}
	if !c.Bool("json") {
		observe, ended = progress.Show(c.App.ErrWriter, progress.Drawable(os.Stderr))
	}
	defer ended()
	return job.Run(c.Context, job.Env{Catalog: k, Caller: who, Plugins: pluginSteps(c), Observer: observe, GPUs: gpus(c)}, o)
}

func trainOptions(c *cli.Context) job.Options {
	return job.Options{
		Model: c.String("name"), Description: c.String("description"), Data: c.String("data"),
		Base: c.String("base"), Architecture: c.String("architecture"),
		Tags: c.StringSlice("tag"), Signature: c.String("signature"), Input: c.String("input"), Output: c.String("output"),
		Preprocessing: c.String("preprocessing"), Split: fractions(c), LookAlikes: lookAlikes(c), Seed: c.Uint64("seed"),
		Cut: c.String("cut"), Balanced: c.Bool("balanced"), Copies: c.Int("copies"), CacheSize: int64(c.Int("cache-size")) << 30,
		Training: scratch.Options{
			Optimiser: scratch.Optimiser(c.String("optimiser")), LearningRate: c.Float64("learning-rate"), Momentum: c.Float64("momentum"),
			WeightDecay: c.Float64("weight-decay"), LabelSmoothing: c.Float64("label-smoothing"),
			Schedule: scratch.Schedule(c.String("schedule")), Warmup: c.Float64("warmup"), Epochs: c.Int("epochs"),
			BatchSize: c.Int("batch-size"), Patience: c.Int("patience"), Threads: c.Int("threads"),
		},
		Augment: scratch.Augment{Shift: c.Int("shift"), Flip: c.Bool("flip"), Brightness: c.Float64("brightness"), Contrast: c.Float64("contrast")},
		Promote: c.Bool("promote"), By: change(c), Code: version, Command: os.Args, Parameters: parameters(c),
	}
}

// parameters returns the values of the flags that apply to the run, as recorded
// in its version.
func parameters(c *cli.Context) map[string]string {
	values := map[string]string{}
	for _, f := range trainFlags() {
		if idle(c, f) {
			continue
		}
		name := f.Names()[0]
		text := fmt.Sprint(c.Value(name))
		if several, ok := c.Value(name).(cli.StringSlice); ok {
			text = strings.Join(several.Value(), " ")
		}
		if text != "" {
			values[name] = text
		}
	}
	return values
}

// idle reports whether a flag is only for the other kind of training.
func idle(c *cli.Context, f cli.Flag) bool {
	return heading(f) == headFlags && c.String("base") == "" || heading(f) == scratchFlags && c.String("architecture") == ""
}

func heading(f cli.Flag) string { return f.(cli.CategorizableFlag).GetCategory() }

// printTrained prints the evaluation of the version and the next steps.
func printTrained(c *cli.Context, v registry.Version, promoted bool) error {
	w, m := c.App.Writer, v.Manifest
	if c.Bool("json") {
		return train.WriteJSON(w, "registered", v)
	}
	if err := versionpage.WriteRegistered(w, m); err != nil {
		return err
	}
	if promoted {
		printable.Fprintf(w, "it is in production: tkit predict --model %s IMAGE, or tkit serve\n", m.Model)
		return nil
	}
	_, err := printable.Fprintf(w, "try it:      tkit predict --model %s IMAGE\npromote it:  tkit registry promote %s\n", m.Ref(), m.Ref())
	return err
}

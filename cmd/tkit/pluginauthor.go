package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/internal/printable"
	"tkit/plugins/host"
	"tkit/plugins/preprocesstest"
	"tkit/plugins/scaffold"
	"tkit/plugins/store"
)

// authorCommands are for people who write plugins.
func authorCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:      "new",
			Usage:     "begin a plugin: a project that builds and passes its own tests",
			ArgsUsage: "NAME",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "lang", Usage: "write it in `LANGUAGE`: " + languages, Value: "go"},
			},
			Description: `NAME is a new folder, and the plugin's name. A project has what tkit gives its
authors in its folder sdk, as this tkit speaks the contract; it needs neither C
nor TensorFlow.

Examples:
   tkit plugins new brighten && cd brighten && go test ./...
   tkit plugins new --lang python work/brighten`,
			Action: withStore(1, 1, newPlugin),
		},
		{
			Name:      "test",
			Usage:     "check that a plugin keeps the promises of the contract and its own",
			ArgsUsage: "PATH",
			Flags: append(trialFlags(), append(allowanceFlags(),
				&cli.IntFlag{Name: "rounds", Usage: "send `N` batches to look for leaks", Value: 300},
				jsonFlag())...),
			Description: `PATH is the plugin's executable, or the project of one in Python. It is not
installed by that; what it prints is logged to standard error. The exit status
is 1 where a check fails. It also says how this machine confines plugins.

Examples:
   tkit plugins test ./brighten
   tkit plugins test ./brighten --config '{"by": 40}' --plugin-memory 256
   tkit plugins test ./dicom-window --sample a.dcm --sample b.dcm
   tkit plugins test --json ./brighten | jq -r '.checks[] | select(.fault) | .fault'`,
			Action: withStore(1, 1, testPlugin),
		},
		{
			Name:      "bench",
			Usage:     "measure a plugin: an image by shared memory and by gRPC, and how fast it starts",
			ArgsUsage: "PATH",
			Flags: append(trialFlags(), append(allowanceFlags(),
				&cli.IntFlag{Name: "batch", Usage: "send `N` images at a time", Value: 32},
				jsonFlag())...),
			Description: `Images are of 224×224×3 where it takes any; --sides names others. All it does
is counted, from the call to the checked answer, in one process.

Examples:
   tkit plugins bench ./brighten
   tkit plugins bench ./brighten --sides 1024x1024x3 --batch 4
   tkit plugins bench --json ./brighten | jq .shared_memory.ms_per_image`,
			Action: withStore(1, 1, benchPlugin),
		},
	}
}

const languages = "go or python"

func newPlugin(c *cli.Context, _ store.Store) error {
	folder := c.Args().First()
	begin := map[string]func(string) error{"go": scaffold.Go, "python": scaffold.Python}[c.String("lang")]
	if begin == nil {
		return fmt.Errorf("plugins new: --lang is %q; want %s", c.String("lang"), languages)
	}
	if err := begin(folder); err != nil {
		return fmt.Errorf("plugins new: %w", err)
	}
	printable.Fprintf(c.App.Writer, "%s begins a plugin; its README.md says how to go on\n", folder)
	return nil
}

// trialFlags say what to try a plugin with.
func trialFlags() []cli.Flag {
	return append(pythonFlags(),
		&cli.StringFlag{Name: "config", Usage: "configure it by `JSON`"},
		&cli.StringSliceFlag{Name: "sample", Usage: "give it `FILE`, where it takes encoded images and neither JPEG nor PNG; may be repeated"},
		&cli.StringFlag{Name: "sides", Usage: "give it pixels of `HxWxC`, where it takes any; 0 is any size"},
	)
}

func trialOptions(c *cli.Context) (o preprocesstest.Options, err error) {
	if text := c.String("config"); text != "" {
		if json.Unmarshal([]byte(text), &map[string]json.RawMessage{}) != nil {
			return o, fmt.Errorf("--config is %q; want a JSON object", text)
		}
		o.Config = json.RawMessage(text)
	}
	for _, path := range c.StringSlice("sample") {
		sample, err := readImage(c.Context, path)
		if err != nil {
			return o, fmt.Errorf("--sample: %w", err)
		}
		o.Samples = append(o.Samples, sample)
	}
	if text := c.String("sides"); text != "" {
		s, end := &o.Sides, ""
		n, _ := fmt.Sscanf(text+"\n", "%dx%dx%d%s", &s[0], &s[1], &s[2], &end)
		if n != 3 || min(s[0], s[1], s[2]) < 0 {
			return o, fmt.Errorf("--sides is %q; want height, width and channels, such as 224x224x3", text)
		}
	}
	return o, checkAllowance(c)
}

// withTrial has do work with a plugin that is not installed.
func withTrial(c *cli.Context, s store.Store, do func(t *store.Trial, open func(host.Config) (*host.Plugin, error), o preprocesstest.Options) error) (err error) {
	o, err := trialOptions(c)
	if err != nil {
		return err
	}
	t, err := s.Try(c.Context, c.Args().First(), store.Options{Python: c.String("python"), Wheels: c.Path("wheels")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	open := func(h host.Config) (*host.Plugin, error) {
		h.Memory, h.Network = c.Int64("plugin-memory")<<20, c.Bool("plugin-network")
		return t.Open(c.Context, h)
	}
	return do(t, open, o)
}

func testPlugin(c *cli.Context, s store.Store) error {
	return withTrial(c, s, func(t *store.Trial, open func(host.Config) (*host.Plugin, error), o preprocesstest.Options) (err error) {
		if o.Rounds = c.Int("rounds"); o.Rounds < 1 {
			return fmt.Errorf("--rounds is %d; want 1 or more", o.Rounds)
		}
		subject, err := preprocesstest.Start(c.Context, open, slog.NewTextHandler(c.App.ErrWriter, nil))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, subject.Plugin.Close()) }()
		if !c.Bool("json") {
			printProtections(c, subject.Plugin.Protections())
		}
		return checkPlugin(c, t, subject, o)
	})
}

// printProtections says how this machine confines the plugin.
func printProtections(c *cli.Context, p host.Protections) {
	fmt.Fprintln(c.App.Writer, "how this machine confines plugins; docs/security-plugins.md says what each line means:")
	for _, one := range p.List(c.Bool("plugin-network")) {
		fmt.Fprintf(c.App.Writer, "  %-5s%s\n", map[bool]string{true: "yes", false: "NO"}[one.Closed], one.Words)
	}
}

// checkPlugin makes the checks and prints each as it is done, or all as JSON.
func checkPlugin(c *cli.Context, t *store.Trial, subject preprocesstest.Subject, o preprocesstest.Options) error {
	all := struct {
		Plugin      string                  `json:"plugin"`
		Digest      string                  `json:"digest"`
		Protections host.Protections        `json:"protections"`
		Passed      bool                    `json:"passed"`
		Checks      []preprocesstest.Result `json:"checks"`
	}{Plugin: subject.Describe().String(), Digest: t.Digest(), Protections: subject.Plugin.Protections()}
	const form = "%-20s %-8s %8s  %s\n"
	if !c.Bool("json") {
		printable.Fprintf(c.App.Writer, "%s, %s\n"+form, all.Plugin, all.Digest, "CHECK", "RESULT", "TOOK", "")
	}
	failed := 0
	passed, err := preprocesstest.Check(c.Context, subject, o, func(r preprocesstest.Result) {
		all.Checks = append(all.Checks, r)
		verdict, why := "passed", r.Note
		switch {
		case r.Err != nil:
			failed++
			verdict, why = "FAILED", r.Fault
		case r.Skipped != "":
			verdict, why = "skipped", r.Skipped
		}
		if !c.Bool("json") {
			printable.Fprintf(c.App.Writer, form, r.Check, verdict, r.Took.Round(time.Millisecond), why)
		}
	})
	if err != nil {
		return err
	}
	if all.Passed = passed; c.Bool("json") {
		if err := printJSON(c.App.Writer, all); err != nil {
			return err
		}
	}
	if !passed {
		return fmt.Errorf("plugins test: %s fails %d of %d checks", all.Plugin, failed, len(all.Checks))
	}
	return nil
}

// figures are the times of one way to a plugin.
type figures struct {
	Image float64 `json:"ms_per_image"` // median
	P99   float64 `json:"p99_ms_per_batch"`
	Rate  float64 `json:"images_per_second"`
}

func figuresOf(sorted []time.Duration, images int) *figures {
	if len(sorted) == 0 {
		return nil
	}
	median := milliseconds(sorted[len(sorted)/2]) / float64(images)
	return &figures{Image: median, P99: milliseconds(sorted[len(sorted)*99/100]), Rate: 1000 / median}
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func benchPlugin(c *cli.Context, s store.Store) error {
	return withTrial(c, s, func(t *store.Trial, open func(host.Config) (*host.Plugin, error), o preprocesstest.Options) error {
		batch := c.Int("batch")
		if batch < 1 {
			return fmt.Errorf("--batch is %d; want 1 or more", batch)
		}
		quiet := func(h host.Config) (*host.Plugin, error) {
			h.Log = slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
			return open(h)
		}
		times, err := preprocesstest.Bench(c.Context, quiet, o, batch)
		if err != nil {
			return err
		}
		return printTimes(c, times)
	})
}

func printTimes(c *cli.Context, t preprocesstest.Times) error {
	shared, rpc, start := figuresOf(t.Shared, t.Images), figuresOf(t.GRPC, t.Images), milliseconds(t.Starts[len(t.Starts)/2])
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Plugin string   `json:"plugin"`
			Batch  string   `json:"batch"`
			Start  float64  `json:"start_to_first_answer_ms"`
			Shared *figures `json:"shared_memory"`
			GRPC   *figures `json:"grpc"`
		}{t.Plugin, t.Batch, start, shared, rpc})
	}
	rows := [][]string{}
	for _, way := range []struct {
		name string
		*figures
	}{{"shared memory", shared}, {"gRPC", rpc}} {
		if way.figures == nil {
			rows = append(rows, []string{way.name, "it shares no memory with tkit here", "", ""})
			continue
		}
		rows = append(rows, []string{way.name, fmt.Sprintf("%.3f ms", way.Image), fmt.Sprintf("%.0f", way.Rate), fmt.Sprintf("%.2f ms", way.P99)})
	}
	printable.Fprintf(c.App.Writer, "%s, %s at a time; start to first answer: %.0f ms\n", t.Plugin, t.Batch, start)
	return printTable(c.App.Writer, []string{"way", "an image (median)", "images/s", "a batch (99 %)"}, rows)
}

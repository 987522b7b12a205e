package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/inference"
	"tkit/internal/present"
	"tkit/serve/server"
)

func serveCommand() *cli.Command {
	o := server.Defaults()
	return &cli.Command{
		Name:      "serve",
		Usage:     "answer requests with the models that are in production, or with a SavedModel",
		ArgsUsage: "[DIR]",
		Description: "Loads the production version of every model of the registry and follows its aliases:\n" +
			"a promotion or rollback takes effect without a restart and without a failed request.\n" +
			"With DIR it serves that folder instead: any SavedModel, or a folder of numbered\n" +
			"versions (1, 2, …) of which the newest answers, as TensorFlow Serving has them.\n" +
			"Answers tkit's own :classify-image and TensorFlow Serving's REST and gRPC APIs.\n" +
			"Who asks is known by a token, given as Authorization: Bearer TOKEN; requests from\n" +
			"this machine without one come from the account that runs the server. Each may use\n" +
			"the models that the data behind them allows, now. Other machines are answered over\n" +
			"TLS and with a token only. A version whose plugins are not installed is refused.\n" +
			"Ends in order on the first SIGTERM or Ctrl-C, at once on the second. SIGHUP does nothing:\n" +
			"a renewed certificate, aliases, grants and tokens are followed by themselves.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "http", Usage: "answer HTTP on `ADDRESS`; empty for none", Value: o.HTTP, Destination: &o.HTTP},
			&cli.StringFlag{Name: "grpc", Usage: "answer gRPC on `ADDRESS`; empty for none", Value: o.GRPC, Destination: &o.GRPC},
			&cli.StringFlag{Name: "tls-cert", Usage: "secure connections with the certificate in `FILE`; needed for addresses that other machines reach", Destination: &o.TLSCert},
			&cli.StringFlag{Name: "tls-key", Usage: "and with the key in `FILE`", Destination: &o.TLSKey},
			&cli.BoolFlag{Name: "authenticate", Usage: "demand a token of every request, on the loopback too; see `tkit access token`", Destination: &o.Authenticate},
			&cli.StringSliceFlag{Name: "allow-origin", Usage: "let web pages of `ORIGIN`, such as https://lab.example.org, ask over HTTP (CORS); may be repeated"},
			&cli.StringFlag{Name: "groups", Usage: "take groups from a YAML `FILE`", DefaultText: "access/groups.yaml in the home, or the system's and HDFS's", Destination: &o.Groups},
			&cli.StringSliceFlag{Name: "models", Usage: "serve `MODEL`, MODEL@ALIAS or MODEL@VERSION instead of all models in production; may be repeated"},
			&cli.StringFlag{Name: "name", Usage: "serve DIR under `NAME`", DefaultText: "the folder's name", Destination: &o.Name},
			&cli.StringFlag{Name: "precision", Usage: "compute trunks in `fp32|bf16`", Value: o.Precision, Destination: &o.Precision},
			&cli.IntFlag{Name: "threads", Usage: "spread one pass through a trunk over `N` threads; 0 for all cores", Destination: &o.Threads},
			&cli.IntFlag{Name: "max-batch", Usage: "send at most `N` images through a trunk at a time", Value: o.MaxBatch, Destination: &o.MaxBatch},
			&cli.IntFlag{Name: "max-queue", Usage: "let at most `N` images wait for a trunk, refuse more", Value: o.MaxQueue, Destination: &o.MaxQueue},
			&cli.IntFlag{Name: "max-images", Usage: "take at most `N` images in a request", Value: o.MaxImages, Destination: &o.MaxImages},
			&cli.Int64Flag{Name: "max-body", Usage: "take at most `BYTES` in a request", Value: o.MaxBody, Destination: &o.MaxBody},
			&cli.DurationFlag{Name: "timeout", Usage: "give up on a request after `TIME`", Value: o.Timeout, Destination: &o.Timeout},
			&cli.DurationFlag{Name: "drain", Usage: "when stopping, answer on for `TIME` while /readyz says no", Value: o.Drain, Destination: &o.Drain},
			&cli.DurationFlag{Name: "grace", Usage: "when stopping, give requests in flight `TIME` to finish", Value: o.Grace, Destination: &o.Grace},
			&cli.BoolFlag{Name: "json", Usage: "write logs as JSON, one object a line"},
			&cli.BoolFlag{Name: "verbose", Usage: "log every request"},
		}, hostFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return fmt.Errorf("serve takes one folder, got %q; name models of the registry with --models", c.Args().Slice())
			}
			if o.Folder = c.Args().First(); o.Folder != "" && c.IsSet("models") {
				return errors.New("serve takes a folder or --models of the registry, not both")
			}
			if o.Folder == "" && c.IsSet("name") {
				return errors.New("--name is the name of a folder's model: give the folder too")
			}
			o.Home, o.Models, o.Origins = c.Path("home"), c.StringSlice("models"), c.StringSlice("allow-origin")
			o.Log = newLog(c.App.ErrWriter, c.Bool("json"), c.Bool("verbose"))
			o.Plugins = pluginHost(c)
			o.Plugins.Log = o.Log
			o.Listening = func(a server.Addresses) { o.Log.Info("listening", "http", a.HTTP, "grpc", a.GRPC) }
			if !c.Bool("json") {
				o.Listening = func(a server.Addresses) { printAddresses(c.App.Writer, a, o.TLSCert != "") }
				o.Ready = func(models []inference.ModelStatus) { printModels(c.App.Writer, models) }
			}
			defer server.IgnoreHangups(o.Log)()
			return server.Run(c.Context, o)
		},
	}
}

func newLog(w io.Writer, asJSON, verbose bool) *slog.Logger {
	o := &slog.HandlerOptions{}
	if verbose {
		o.Level = slog.LevelDebug
	}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func printAddresses(w io.Writer, a server.Addresses, secured bool) {
	scheme := map[bool]string{false: "http", true: "https"}[secured]
	if a.HTTP != "" {
		fmt.Fprintf(w, "HTTP  %s://%s\n", scheme, a.HTTP)
	}
	if a.GRPC != "" {
		fmt.Fprintf(w, "gRPC  %s\n", a.GRPC)
	}
}

// printModels shows what answers.
func printModels(w io.Writer, models []inference.ModelStatus) {
	if len(models) == 0 {
		fmt.Fprintln(w, "No model is in production yet; `tkit registry promote` puts one there.")
		return
	}
	var rows [][]string
	for _, m := range models {
		for _, v := range m.Versions {
			var labels []string
			for _, l := range slices.Sorted(maps.Keys(m.Labels)) {
				if m.Labels[l] == v.Version {
					labels = append(labels, l)
				}
			}
			rows = append(rows, []string{m.Model, strconv.Itoa(v.Version), strings.Join(labels, ", "), strings.ToLower(v.State.String())})
		}
	}
	present.Table(w, []string{"model", "version", "labels", "state"}, rows)
}

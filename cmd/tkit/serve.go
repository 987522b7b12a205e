package main

import (
	"net/http"

	"github.com/urfave/cli/v2"

	"tkit/inference"
	"tkit/ingest/page"
	"tkit/internal/commandline"
	"tkit/serve/server"
)

func serveCommand() *cli.Command {
	o := server.Defaults()
	return &cli.Command{
		Name: "serve", Usage: "answer requests with the models that are in production, or with a SavedModel", ArgsUsage: "[DIR]",
		Description: `The server loads the production version of every model in the registry, or the
versions that --models names. It follows promotions and rollbacks without a
restart and without a failed request. With DIR it serves that folder instead: a
SavedModel, or a folder of numbered versions (1, 2, …), of which it serves the
newest.

http://127.0.0.1:8501/pipelines shows the pipelines of tkit ingest in a browser.

It has an API for images, :classify-image, and the REST and gRPC APIs of
TensorFlow Serving.

Callers identify themselves with a token: "Authorization: Bearer TOKEN". Requests
from this machine may come without one; they have the rights of the account that
runs the server. A caller may use a model as long as the policies of its data
allow it. Other machines need a token, and are served over TLS only.

The first SIGTERM or Ctrl-C stops the server after the requests in progress, the
second one at once. A renewed certificate, aliases, grants and tokens take effect
without a restart.

Examples:
   tkit serve
   tkit serve --models flowers@champion --models herbs@3
   tkit serve --http 0.0.0.0:8501 --tls-cert server.crt --tls-key server.key
   tkit serve exported/flowers --name flowers`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "http", Usage: "listen for HTTP on `ADDRESS`; empty for none", Value: o.HTTP, Destination: &o.HTTP},
			&cli.StringFlag{Name: "grpc", Usage: "listen for gRPC on `ADDRESS`; empty for none", Value: o.GRPC, Destination: &o.GRPC},
			&cli.StringFlag{Name: "tls-cert", Usage: "use TLS with the certificate in `FILE`; required for addresses that other machines can reach", Destination: &o.TLSCert},
			&cli.StringFlag{Name: "tls-key", Usage: "the certificate's private key is in `FILE`", Destination: &o.TLSKey},
			&cli.BoolFlag{Name: "authenticate", Usage: "require a token of every request, also from this machine; tkit access token creates one", Destination: &o.Authenticate},
			&cli.StringSliceFlag{Name: "allow-origin", Usage: "allow requests from web pages of `ORIGIN`, such as https://lab.example.org (CORS); may be repeated"},
			&cli.StringFlag{Name: "groups", Usage: "read groups from a YAML `FILE`", DefaultText: "access/groups.yaml in the home, or the system's and HDFS's", Destination: &o.Groups},
			&cli.StringSliceFlag{Name: "models", Usage: "serve `MODEL`, MODEL@ALIAS or MODEL@VERSION instead of all models in production; may be repeated"},
			&cli.StringFlag{Name: "name", Usage: "serve DIR under `NAME`", DefaultText: "the folder's name", Destination: &o.Name},
			&cli.StringFlag{Name: "precision", Usage: "compute trunks in this `PRECISION`: fp32 or bf16", Value: o.Precision, Destination: &o.Precision},
			&cli.IntFlag{Name: "threads", Usage: "use `N` threads for one pass through a trunk; 0 for all cores", Destination: &o.Threads},
			&cli.IntFlag{Name: "max-batch", Usage: "send at most `N` images through a trunk at a time", Value: o.MaxBatch, Destination: &o.MaxBatch},
			&cli.IntFlag{Name: "max-queue", Usage: "queue at most `N` images for a trunk, and refuse more", Value: o.MaxQueue, Destination: &o.MaxQueue},
			&cli.IntFlag{Name: "max-images", Usage: "accept at most `N` images in a request", Value: o.MaxImages, Destination: &o.MaxImages},
			&cli.Int64Flag{Name: "max-body", Usage: "accept at most `BYTES` in a request", Value: o.MaxBody, Destination: &o.MaxBody},
			&cli.GenericFlag{Name: "timeout", Usage: "cancel a request after `TIME`", Value: (*commandline.Duration)(&o.Timeout)},
			&cli.GenericFlag{Name: "drain", Usage: "when stopping, first serve for another `TIME` while /readyz reports not ready", Value: (*commandline.Duration)(&o.Drain)},
			&cli.GenericFlag{Name: "grace", Usage: "when stopping, wait up to `TIME` for requests in progress", Value: (*commandline.Duration)(&o.Grace)},
			&cli.BoolFlag{Name: "json", Usage: "write logs as lines of JSON"},
			&cli.BoolFlag{Name: "verbose", Usage: "log every request"},
		}, append(gpuFlags(), hostFlags()...)...),
		Action: func(c *cli.Context) error {
			if o.Folder = c.Args().First(); o.Folder != "" && c.IsSet("models") {
				return commandline.Usagef("serve takes a folder or --models of the registry, not both")
			}
			if o.Folder == "" && c.IsSet("name") {
				return commandline.Usagef("--name is the name of a folder's model: give the folder too")
			}
			o.Home, o.Database, o.Models, o.Origins = c.Path("home"), c.String("database"), c.StringSlice("models"), c.StringSlice("allow-origin")
			if err := o.Check(); err != nil {
				return commandline.Usage(err)
			}
			o.Log = commandline.NewLog(c, c.Bool("verbose"))
			o.Plugins = pluginHost(c)
			o.Plugins.Log, o.GPUs = o.Log, gpus(c)
			pipelines := page.New(page.Options{Home: o.Home, Replay: replayFor(c, o.Log), Log: o.Log})
			defer pipelines.Close()
			o.Pages = map[string]http.Handler{"pipelines": pipelines}
			o.Listening = func(a server.Addresses) { o.Log.Info("listening", "http", a.HTTP, "grpc", a.GRPC) }
			if !c.Bool("json") {
				o.Listening = func(a server.Addresses) { a.WriteText(c.App.Writer, o.TLSCert != "") }
				o.Ready = func(models []inference.ModelStatus) { server.WriteModels(c.App.Writer, models) }
			}
			defer server.IgnoreHangups(o.Log)()
			return server.Run(c.Context, o)
		},
	}
}

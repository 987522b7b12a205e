package main

import (
	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
	"tkit/internal/printable"
	"tkit/plugins/store"
)

func pluginsCommand() *cli.Command {
	return &cli.Command{
		Name:  "plugins",
		Usage: "install, test and write plugins: preprocessing of your own",
		Description: `A plugin is a program that a version's preprocessing names as one of its steps.
Installed plugins are kept under the home, by the digest of their executable; no
other file is ever started. A version pins its plugins by that digest: it is
trained, evaluated and served with the same bytes, or not at all.`,
		Subcommands: append(authorCommands(), []*cli.Command{
			{
				Name:      "install",
				Usage:     "copy a plugin into the home, ready to be named by a preprocessing",
				ArgsUsage: "PATH",
				Flags:     append(pythonFlags(), jsonFlag()),
				Description: `PATH is the plugin's executable; for one in Python its project, a folder with a
pyproject.toml, or the archive that was built of it. It is started once, to say
what it is. The packages of a plugin in Python are those of its lock, fetched by
pip and checked by their digests.

Examples:
   tkit plugins install ./invert
   tkit plugins install work/deskew
   tkit plugins install deskew.pyz --wheels wheels --python python3.11`,
				Action: withStore(1, 1, installPlugin),
			},
			{
				Name:  "list",
				Usage: "list what is installed",
				Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit plugins list
   tkit plugins list --json | jq -r '.[] | [.name, .version, .digest] | @tsv'`,
				Action: withStore(0, 0, listPlugins),
			},
			{
				Name:      "show",
				Usage:     "show what a plugin takes, gives and is configured by",
				ArgsUsage: "PLUGIN",
				Flags:     []cli.Flag{jsonFlag()},
				Description: `PLUGIN is NAME (the newest version), NAME@VERSION or the beginning of a digest.

Examples:
   tkit plugins show invert
   tkit plugins show invert@1.2.0
   tkit plugins show --json invert | jq .config_schema`,
				BashComplete: completePlugins,
				Action:       withStore(1, 1, showPlugin),
			},
			{
				Name:  "verify",
				Usage: "read every plugin that is installed and check it against its digest",
				Flags: []cli.Flag{jsonFlag()},
				Description: `The exit status is 1 where something is not as it was installed.

Examples:
   tkit plugins verify`,
				Action: withStore(0, 0, verifyPlugins),
			},
			{
				Name:      "remove",
				Usage:     "remove a plugin that no version needs",
				ArgsUsage: "PLUGIN",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "force", Usage: "remove it though versions need it, which then cannot be served"},
				},
				Description: `Examples:
   tkit plugins remove invert@1.0.0`,
				BashComplete: completePlugins,
				Action:       withStore(1, 1, removePlugin),
			},
		}...),
	}
}

// pythonFlags are on every command that may install a plugin in Python.
func pythonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "python", Usage: "run a plugin in Python by `INTERPRETER`", Value: "python3"},
		&cli.PathFlag{Name: "wheels", Usage: "take its packages from `FOLDER`, without a network"},
	}
}

// storeOptions say how to get the packages of a plugin in Python.
func storeOptions(c *cli.Context) store.Options {
	return store.Options{Python: c.String("python"), Wheels: c.Path("wheels")}
}

// pluginStore is that of the home.
func pluginStore(c *cli.Context) store.Store { return store.In(c.Path("home")) }

// withStore checks the number of arguments.
func withStore(least, most int, act func(*cli.Context, store.Store) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := commandline.CheckArguments(c, least, most); err != nil {
			return err
		}
		return act(c, pluginStore(c))
	}
}

// completePlugins prints the names that the shell may offer.
func completePlugins(c *cli.Context) {
	if c.NArg() > 0 {
		return
	}
	all, _ := pluginStore(c).List()
	for _, i := range all {
		printable.Fprintf(c.App.Writer, "%s\n", i.Description)
	}
}

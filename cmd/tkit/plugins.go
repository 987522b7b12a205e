package main

import (
	"github.com/urfave/cli/v2"

	"tkit/plugins/store"
)

func pluginsCommand() *cli.Command {
	return &cli.Command{
		Name: "plugins", Usage: "write, test and install plugins for preprocessing",
		Description: `A plugin is a program that does one step of a version's preprocessing. tkit runs
only plugins that are installed in the home, where they are kept by the digest of
their executable. A version records that digest, and is only ever trained,
evaluated and served with exactly the same plugins.`,
		Subcommands: append(authorCommands(), []*cli.Command{
			{
				Name: "install", Usage: "install a plugin in the home, for use in a preprocessing", ArgsUsage: "PATH",
				Flags: append(pythonFlags(), jsonFlag()),
				Description: `PATH is the plugin's executable. For a plugin in Python it is the project, a folder
with a pyproject.toml, or the archive that was built from it. The plugin is
started once, to get its description. pip installs the packages that the lock of
a plugin in Python lists, and checks their digests.

Examples:
   tkit plugins install ./invert
   tkit plugins install work/deskew
   tkit plugins install deskew.pyz --wheels wheels --python python3.11`,
				Action: withStore(installPlugin),
			},
			{
				Name: "list", Usage: "list the installed plugins", Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit plugins list
   tkit plugins list --json | jq -r '.[] | [.name, .version, .digest] | @tsv'`,
				Action: withStore(listPlugins),
			},
			{
				Name: "show", Usage: "show the input, output and configuration of a plugin", ArgsUsage: "PLUGIN", Flags: []cli.Flag{jsonFlag()},
				Description: `PLUGIN is NAME, which is the newest version, NAME@VERSION, or the beginning of a
digest.

Examples:
   tkit plugins show invert
   tkit plugins show invert@1.2.0
   tkit plugins show --json invert | jq .config_schema`,
				Action: withStore(showPlugin),
			},
			{
				Name: "verify", Usage: "check every installed plugin against its digest", Flags: []cli.Flag{jsonFlag()},
				Description: `The exit status is 1 when a plugin is not as it was installed.

Examples:
   tkit plugins verify`,
				Action: withStore(verifyPlugins),
			},
			{
				Name: "remove", Usage: "remove an installed plugin", ArgsUsage: "PLUGIN",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "force", Usage: "remove it even if registered versions need it, which then cannot be served"},
				},
				Description: `A plugin that registered versions need is removed with --force only.

Examples:
   tkit plugins remove invert@1.0.0`,
				Action: withStore(removePlugin),
			},
		}...),
	}
}

// pythonFlags are the flags of every command that may install a plugin in
// Python.
func pythonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "python", Usage: "run a plugin in Python with `INTERPRETER`", Value: "python3"},
		&cli.PathFlag{Name: "wheels", Usage: "install its packages from `FOLDER`, without a network"},
	}
}

// storeOptions returns the options for getting the packages of a plugin in
// Python.
func storeOptions(c *cli.Context) store.Options {
	return store.Options{Python: c.String("python"), Wheels: c.Path("wheels")}
}

// pluginStore returns the plugin store of the home.
func pluginStore(c *cli.Context) store.Store { return store.In(c.Path("home")) }

// withStore makes an action of one on the plugins of the home.
func withStore(act func(*cli.Context, store.Store) error) cli.ActionFunc {
	return func(c *cli.Context) error { return act(c, pluginStore(c)) }
}

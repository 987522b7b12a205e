package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
	"tkit/plugins/host"
	"tkit/plugins/steps"
)

const hostCategory = "with plugin steps:"

// hostFlags are the flags of every command that runs plugins of a
// preprocessing.
func hostFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.IntFlag{Category: hostCategory, Name: "plugin-processes", Value: 2, Usage: "run `N` processes of each plugin"},
		&cli.GenericFlag{Category: hostCategory, Name: "plugin-timeout", Value: commandline.NewDuration(30 * time.Second), Usage: "end a process that takes longer than `TIME` for a batch"},
	}, allowanceFlags()...)
}

// allowanceFlags are the flags for the resources of a plugin's process.
func allowanceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Int64Flag{Category: hostCategory, Name: "plugin-memory", Value: 1024, Usage: "let each process use `MB` of memory"},
		&cli.BoolFlag{Category: hostCategory, Name: "plugin-network", Usage: "let plugins reach the network"},
	}
}

// pluginHost returns the configuration given by the flags. Faults and output of
// plugins are logged to standard error.
func pluginHost(c *cli.Context) host.Config {
	return host.Config{
		Processes: c.Int("plugin-processes"), Memory: pluginMemory(c), Timeout: c.Duration("plugin-timeout"), Network: c.Bool("plugin-network"),
		Log: commandline.NewLog(c, false),
	}
}

func pluginMemory(c *cli.Context) int64 { return c.Int64("plugin-memory") << 20 }

// pluginSteps runs the plugin steps of a preprocessing with the plugins that are
// installed in the home.
func pluginSteps(c *cli.Context) *steps.Steps { return steps.New(pluginStore(c), pluginHost(c)) }

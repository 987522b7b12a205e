package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/plugins/host"
	"tkit/plugins/steps"
)

// hostFlags are on every command that runs the plugins of a preprocessing.
func hostFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.IntFlag{Category: hostCategory, Name: "plugin-processes", Value: 2, Usage: "run `N` processes of each plugin"},
		&cli.DurationFlag{Category: hostCategory, Name: "plugin-timeout", Value: 30 * time.Second, Usage: "end one that takes longer than `TIME` for a batch"},
	}, allowanceFlags()...)
}

const hostCategory = "with plugin steps:"

// allowanceFlags say what a process of a plugin may have.
func allowanceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Int64Flag{Category: hostCategory, Name: "plugin-memory", Value: 1024, Usage: "let each process take `MB` of memory"},
		&cli.BoolFlag{Category: hostCategory, Name: "plugin-network", Usage: "let plugins reach the network"},
	}
}

// pluginHost says how plugins run, as the flags that a command has say. What
// goes wrong with them, and what they print, is logged to standard error.
func pluginHost(c *cli.Context) host.Config {
	return host.Config{
		Processes: c.Int("plugin-processes"), Memory: c.Int64("plugin-memory") << 20,
		Timeout: c.Duration("plugin-timeout"), Network: c.Bool("plugin-network"),
		Log: slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// checkHostFlags refuses what no plugin can run with.
func checkHostFlags(c *cli.Context) error {
	switch {
	case c.Int("plugin-processes") < 1:
		return fmt.Errorf("--plugin-processes is %d; want 1 or more", c.Int("plugin-processes"))
	case c.Duration("plugin-timeout") <= 0:
		return fmt.Errorf("--plugin-timeout is %v; want some time, such as 30s", c.Duration("plugin-timeout"))
	}
	return checkAllowance(c)
}

func checkAllowance(c *cli.Context) error {
	if n := c.Int64("plugin-memory"); n < 1 {
		return fmt.Errorf("--plugin-memory is %d; want 1 or more", n)
	}
	return nil
}

// pluginSteps has the plugins of the home for the steps of a preprocessing.
func pluginSteps(c *cli.Context) *steps.Steps { return steps.New(pluginStore(c), pluginHost(c)) }

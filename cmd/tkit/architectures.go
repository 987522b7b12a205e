package main

import (
	"github.com/urfave/cli/v2"

	"tkit/architectures"
	"tkit/internal/commandline"
)

func architecturesCommand() *cli.Command {
	return &cli.Command{
		Name: "architectures", Usage: "show the networks that tkit can train from scratch",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the architectures with their sizes", Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit architectures list
   tkit architectures list --json | jq -r '.[].name'`,
				Action: listArchitectures,
			},
			{
				Name: "show", Usage: "show the shapes and the parameters of an architecture, layer by layer", ArgsUsage: "ARCHITECTURE",
				Flags: []cli.Flag{
					jsonFlag(),
					&cli.IntFlag{Name: "classes", Usage: "build it for `N` classes", DefaultText: "the paper's"},
				},
				Description: `Examples:
   tkit architectures show resnet50
   tkit architectures show --classes 5 lenet5`,
				Action: showArchitecture,
			},
		},
	}
}

func listArchitectures(c *cli.Context) error {
	list, err := architectures.Summaries()
	if err != nil {
		return err
	}
	return commandline.ShowList(c, list, "", architectures.SummaryHeader, architectures.Summary.Row)
}

func showArchitecture(c *cli.Context) error {
	a, err := architectures.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	s, err := a.Summary(c.Int("classes"))
	if err != nil {
		return err
	}
	return commandline.Show(c, s, s.WriteText)
}

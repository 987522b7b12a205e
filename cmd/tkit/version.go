package main

import (
	"github.com/urfave/cli/v2"

	"tkit/doctor"
	"tkit/internal/commandline"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version of tkit and what it was built with",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			b := doctor.Describe(version)
			return commandline.Show(c, b, b.WriteText)
		},
	}
}

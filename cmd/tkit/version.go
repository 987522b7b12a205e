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
			if err := commandline.CheckArguments(c, 0, 0); err != nil {
				return err
			}
			b := doctor.Describe(version)
			return show(c, b, b.WriteText)
		},
	}
}

package main

import "github.com/urfave/cli/v2"

// jsonFlag is on every command that prints something a program may want.
func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON for programs"} }

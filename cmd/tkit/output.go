package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
)

// jsonFlag is on every command that prints something a program may want.
func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON for programs"} }

func show(c *cli.Context, value any, text func(w io.Writer) error) error {
	return commandline.Show(c, value, text)
}

func showList[T any](c *cli.Context, items []T, empty string, header []string, row func(T) []string) error {
	return commandline.ShowList(c, items, empty, header, row)
}

func showDone(c *cli.Context, changed any, format string, values ...any) error {
	return commandline.ShowDone(c, changed, format, values...)
}

package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"tkit/architectures"
)

func architecturesCommand() *cli.Command {
	return &cli.Command{
		Name:  "architectures",
		Usage: "the networks that tkit can train from scratch",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list the architectures with their sizes",
				Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit architectures list
   tkit architectures list --json | jq -r '.[].name'`,
				Action: listArchitectures,
			},
			{
				Name:      "show",
				Usage:     "print an architecture's table: shapes and parameters, row by row",
				ArgsUsage: "NAME",
				Flags: []cli.Flag{
					jsonFlag(),
					&cli.IntFlag{Name: "classes", Usage: "build it for `N` classes instead of the paper's"},
				},
				Description: `Examples:
   tkit architectures show resnet50
   tkit architectures show --classes 5 lenet5`,
				BashComplete: func(*cli.Context) {
					for _, a := range architectures.All() {
						fmt.Println(a.Name)
					}
				},
				Action: showArchitecture,
			},
		},
	}
}

func listArchitectures(c *cli.Context) error {
	type row struct {
		architectures.Architecture
		Trainable  int `json:"trainable"`
		Statistics int `json:"statistics"`
	}
	var list []row
	for _, a := range architectures.All() {
		g, err := a.Graph()
		if err != nil {
			return err
		}
		trainable, statistics := g.Parameters()
		list = append(list, row{a, trainable, statistics})
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	rows := make([][]string, len(list))
	for i, a := range list {
		rows[i] = []string{a.Name, architectures.Shape(a.Input[:]).String(), strconv.Itoa(a.Classes), grouped(a.Trainable), a.Title}
	}
	return printTable(c.App.Writer, []string{"name", "input", "classes", "parameters", "title"}, rows)
}

func showArchitecture(c *cli.Context) error {
	if c.NArg() != 1 {
		return fmt.Errorf("architectures show: name one architecture; `tkit architectures list` has them")
	}
	a, err := architectures.Lookup(c.Args().First())
	if err != nil {
		return err
	}
	classes := a.Classes
	if c.IsSet("classes") {
		classes = c.Int("classes")
	}
	g, err := a.Build(classes, a.Input)
	if err != nil {
		return err
	}
	trainable, statistics := g.Parameters()
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			architectures.Architecture
			Classes    int                      `json:"classes"`
			Endpoints  []architectures.Endpoint `json:"endpoints"`
			Trainable  int                      `json:"trainable"`
			Statistics int                      `json:"statistics"`
		}{a, classes, g.Table(), trainable, statistics})
	}
	fmt.Fprintf(c.App.Writer, "%s: %s\n%s\n\n", a.Name, a.Title, a.Citation)
	rows := [][]string{{"input", "", architectures.Shape(a.Input[:]).String(), ""}}
	for _, e := range g.Table() {
		name := e.Name
		if e.Auxiliary {
			name += " (training only)"
		}
		rows = append(rows, []string{name, e.Operation, e.Output.String(), grouped(e.Trainable)})
	}
	rows = append(rows, []string{"total", "", "", grouped(trainable)})
	if err := printTable(c.App.Writer, []string{"endpoint", "operation", "output", "parameters"}, rows); err != nil {
		return err
	}
	if statistics > 0 {
		fmt.Fprintf(c.App.Writer, "and %s running statistics of batch normalisation\n", grouped(statistics))
	}
	return nil
}

// grouped writes a count with a comma at each thousand.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

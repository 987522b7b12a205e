package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/internal/page"
)

func checkDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	file := c.Path("html")
	checked, err := k.CheckDataset(c.Context, who, c.Args().First(), catalog.CheckOptions{
		Split: fractions(c), LookAlikes: lookAlikes(c), Page: file != "", By: version,
	})
	if checked.Report == nil {
		return err
	}
	if file != "" {
		if e := writePage(c, file, checked.Page.Write); e != nil {
			return errors.Join(err, e)
		}
	}
	return errors.Join(err, commandline.Show(c, checked.Report, checked.Report.Table))
}

// writePage writes a page to the file of --html.
func writePage(c *cli.Context, file string, write func(io.Writer) error) error {
	if err := page.WriteFile(file, write); err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	commandline.Tell(c, "note", "wrote "+file)
	return nil
}

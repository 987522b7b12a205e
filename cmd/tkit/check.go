package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/datasets"
	"tkit/datasets/pictures"
	"tkit/datasets/reportpage"
	"tkit/internal/commandline"
	"tkit/internal/page"
)

func checkDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) (err error) {
	d, err := k.OpenDataset(c.Context, who, "check", c.Args().First())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	look, end, err := lookAlikes(c).Look(fractions(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	snapshot, report, err := datasets.TakeSnapshot(c.Context, d.Source, datasets.SnapshotOptions{Look: look})
	if report == nil {
		return err
	}
	if err == nil {
		if err := d.Found(c.Context, snapshot); err != nil {
			return err
		}
		// That it cannot be split is a part of the report.
		_, _ = report.Divide(snapshot, fractions(c))
	}
	if file := c.Path("html"); file != "" {
		if e := writeDataPage(c, d.Source, snapshot, report, file); e != nil {
			return errors.Join(err, fmt.Errorf("--html: %w", e))
		}
	}
	return errors.Join(err, show(c, report, report.Table), lost(report))
}

// lost is the error of a dataset of which a whole class cannot be used. Where
// nothing can be used, there is an error that says so.
func lost(r *datasets.Report) error {
	labels := r.Lost()
	if len(labels) == 0 || r.Examples == 0 {
		return nil
	}
	for i := range labels {
		labels[i] = strconv.Quote(labels[i])
	}
	return fmt.Errorf("datasets check: no image can be used of %d of the classes: %s", len(labels), strings.Join(labels[:min(len(labels), 10)], ", "))
}

// writeDataPage writes the report as a page with thumbnails. Whoever runs the
// command has the right to read; snapshot is nil where no image can be used.
func writeDataPage(c *cli.Context, src datasets.Source, snapshot *datasets.Snapshot, report *datasets.Report, file string) error {
	shown := &reportpage.Page{
		Name: path.Base(strings.TrimPrefix(strings.TrimSuffix(c.Args().First(), "/"), "dataset:")), Report: report, Snapshot: snapshot, Made: time.Now(), By: version,
	}
	if snapshot != nil {
		var err error
		if shown.Thumbnails, err = pictures.Thumbnails(c.Context, src, snapshot, shown.Wanted()); err != nil {
			return err
		}
	}
	if err := page.WriteFile(file, func(w io.Writer) error { return shown.Write(w) }); err != nil {
		return err
	}
	commandline.Tell(c, "note", "wrote "+file)
	return nil
}

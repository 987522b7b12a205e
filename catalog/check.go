package catalog

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/pictures"
	"tkit/datasets/reportpage"
)

// CheckOptions say how to check a dataset.
type CheckOptions struct {
	Split      datasets.Fractions // how a training would split it
	LookAlikes pictures.LookAlikes
	// Page also makes a page with thumbnails; By is the version of tkit that it
	// names.
	Page bool
	By   string
}

// A DatasetCheck is what a check has found.
type DatasetCheck struct {
	Report *datasets.Report
	Page   *reportpage.Page // nil unless it was asked for
}

// CheckDataset reads every image of a dataset, for callers who may read it; see
// OpenDataset. If no image can be used, or none of a class, it returns the report
// together with an error.
func (c *Catalog) CheckDataset(ctx context.Context, who access.Caller, given string, o CheckOptions) (_ DatasetCheck, err error) {
	d, err := c.OpenDataset(ctx, who, "check", given)
	if err != nil {
		return DatasetCheck{}, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	look, end, err := o.LookAlikes.Look(o.Split)
	if err != nil {
		return DatasetCheck{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	snapshot, report, unusable := datasets.TakeSnapshot(ctx, d.Source, datasets.SnapshotOptions{Look: look})
	if report == nil {
		return DatasetCheck{}, unusable
	}
	if unusable == nil {
		if err := d.Found(ctx, snapshot); err != nil {
			return DatasetCheck{}, err
		}
		// That it cannot be split is a part of the report.
		_, _ = report.Divide(snapshot, o.Split)
		unusable = lost(report)
	} else {
		snapshot = nil
	}
	check := DatasetCheck{Report: report}
	if o.Page {
		if check.Page, err = d.page(ctx, given, snapshot, report, o.By); err != nil {
			return DatasetCheck{}, errors.Join(unusable, err)
		}
	}
	return check, unusable
}

// page makes the page of a report. Snapshot is nil if no image can be used.
func (d *OpenDataset) page(ctx context.Context, given string, snapshot *datasets.Snapshot, report *datasets.Report, by string) (*reportpage.Page, error) {
	name := path.Base(strings.TrimPrefix(strings.TrimSuffix(given, "/"), "dataset:"))
	p := &reportpage.Page{Name: name, Report: report, Snapshot: snapshot, Made: time.Now(), By: by}
	if snapshot == nil {
		return p, nil
	}
	var err error
	p.Thumbnails, err = pictures.Thumbnails(ctx, d.Source, snapshot, p.Wanted())
	return p, err
}

// lost returns the error of a dataset of which a whole class cannot be used.
func lost(r *datasets.Report) error {
	labels := r.Lost()
	if len(labels) == 0 {
		return nil
	}
	for i := range labels {
		labels[i] = strconv.Quote(labels[i])
	}
	return fmt.Errorf("no image can be used of %d of the classes: %s", len(labels), strings.Join(labels[:min(len(labels), 10)], ", "))
}

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// limits are what the value of a numeric flag may be, both ends included.
type limits struct{ least, most float64 }

const (
	many = 1_000_000 // of things that people count
	tiny = 1e-12     // the least that is more than nothing
)

// bounds are the limits of numeric flags, by command and flag. "" is for every
// command. They are far from what anybody needs: a value outside is a mistake, which
// is told before any data is read. Flags of time are in seconds.
var bounds = map[string]map[string]limits{
	"": {
		"validation": {0, 1}, "test": {0, 1}, "per-class": {0, many},
		"plugin-processes": {1, 1024}, "plugin-timeout": {0.001, 24 * 3600}, "plugin-memory": {1, 1 << 24},
	},
	"train": {
		"cache-size": {0, many}, "copies": {0, 1000},
		"shift": {0, 1024}, "brightness": {0, 1}, "contrast": {0, 1},
		"epochs": {1, many}, "batch-size": {1, 65536}, "learning-rate": {tiny, 1000}, "momentum": {0, 0.9999}, "weight-decay": {0, 10},
		"warmup": {0, 100_000}, "label-smoothing": {0, 0.9999}, "patience": {0, 100_000}, "threads": {0, 1024},
	},
	"serve": {
		"threads": {0, 1024}, "max-batch": {1, 65536}, "max-queue": {1, many}, "max-images": {1, many}, "max-body": {1024, 1 << 36},
		"timeout": {0.001, 24 * 3600}, "drain": {0, 24 * 3600}, "grace": {0, 24 * 3600},
	},
	"predict": {"top": {1, many}},
	"audit":   {"last": {0, 1e9}},
	"gc":      {"wait": {0, 30 * 24 * 3600}},
	"show":    {"classes": {1, many}},
	"test":    {"rounds": {1, many}},
	"bench":   {"batch": {1, 65536}},
}

// checkBounds refuses a number that is out of its flag's limits, or none.
func checkBounds(c *cli.Context) error {
	if c.Command == nil {
		return nil
	}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		l, known := bounds[c.Command.Name][name]
		if !known {
			l, known = bounds[""][name]
		}
		if !known || !c.IsSet(name) {
			continue
		}
		value, text := number(c, name)
		if !(value >= l.least && value <= l.most) { // nor is NaN
			return fmt.Errorf("--%s is %s: want %s", name, text, l.text(f))
		}
	}
	return nil
}

// number is the value of a numeric flag, and how it is written.
func number(c *cli.Context, name string) (float64, string) {
	switch v := c.Value(name).(type) {
	case int:
		return float64(v), strconv.Itoa(v)
	case int64:
		return float64(v), strconv.FormatInt(v, 10)
	case float64:
		return v, strconv.FormatFloat(v, 'g', -1, 64)
	case time.Duration:
		return v.Seconds(), v.String()
	default:
		panic(fmt.Sprintf("--%s has bounds and is a %T", name, v)) // which a test would meet
	}
}

// text says what a flag wants.
func (l limits) text(f cli.Flag) string {
	if _, ok := f.(*cli.DurationFlag); ok {
		return fmt.Sprintf("%v to %v", time.Duration(l.least*float64(time.Second)), time.Duration(l.most*float64(time.Second)))
	}
	if l.least == tiny {
		return fmt.Sprintf("more than 0, and at most %v", l.most)
	}
	return strconv.FormatFloat(l.least, 'f', -1, 64) + " to " + strconv.FormatFloat(l.most, 'f', -1, 64)
}

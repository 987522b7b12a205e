// Package present formats values for readers: tables, times and sizes.
// Untrusted text is escaped by package printable.
package present

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"tkit/internal/printable"
)

// JSON writes one indented JSON value.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Lines writes each item as one line of JSON.
func Lines[T any](w io.Writer, items []T) error {
	e := json.NewEncoder(w)
	for _, item := range items {
		if err := e.Encode(item); err != nil {
			return err
		}
	}
	return nil
}

// Content returns the writer for the content of a file: w, which filters it, on
// a terminal, and otherwise the file behind w, which receives it unchanged.
func Content(w io.Writer) io.Writer {
	if terminal(w) != nil {
		return w
	}
	return printable.Unwrap(w)
}

// Time formats a time in the local time zone.
func Time(t time.Time) string { return t.Local().Format(time.DateTime) }

// Until formats the time at which something expires. The zero time means never.
func Until(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return Time(t)
}

// OrDash returns s, or a dash when it is empty.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// YesNo returns "yes" or "no".
func YesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// Prefixed returns s with a prefix, or nothing if s is empty.
func Prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// Bytes formats a size in decimal units.
func Bytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}

// Count formats a number with a comma at each thousand.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

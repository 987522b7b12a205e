package datasets

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// The parts of a report shown in the table; the JSON form has all of it.
const (
	shownClasses = 40
	shownItems   = 10
	barWidth     = 30
)

// Table writes the report for a terminal: the classes with bars, then the
// problems, the first few of each by name. A Report can be encoded as JSON in
// full.
func (r *Report) Table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s in %s, %s\n", printable.Text(r.URI), plural(r.Examples, "image"), classes(len(r.Classes)), Bytes(r.Bytes))
	if r.Layout != nil {
		fmt.Fprintf(&b, "read as: %s\n", printable.Text(r.Layout.text(len(r.Classes))))
	}
	b.WriteByte('\n')
	r.tableClasses(&b)
	r.tableSizes(&b)
	r.tableSides(&b)
	r.tableQuarantined(&b)
	section(&b, r.shown(), fmt.Sprintf("%d misnamed (used, but the extension is wrong)", len(r.Misnamed)), r.Misnamed, func(m Misnamed) string {
		return fmt.Sprintf("%s is a %s", m.Key, m.Format)
	})
	section(&b, r.shown(), plural(len(r.Duplicates), "group")+" of duplicates (same bytes, same label; each stays on one side of a split)", r.Duplicates, group)
	section(&b, r.shown(), plural(len(r.Conflicts), "conflict")+" (same bytes under different labels; quarantined)", r.Conflicts, group)
	r.tableNear(&b)
	width := present.Width(w)
	if len(r.Beside) > 0 {
		tell(&b, width, "note: "+printable.Text(some(quoted(r.Beside, false), shownNames))+" has no images: not a class")
	}
	for _, n := range r.Notes {
		tell(&b, width, "note: "+printable.Text(n))
	}
	for _, text := range r.Warnings() {
		tell(&b, width, "warning: "+printable.Text(text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tell writes a paragraph of lines of at most width columns.
func tell(b *strings.Builder, width int, text string) {
	fmt.Fprintf(b, "\n%s\n", strings.Join(present.Wrap(text, width), "\n"))
}

func (r *Report) tableClasses(b *strings.Builder) {
	shown := r.Classes
	if len(shown) > shownClasses { // the rarest are the most important
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(x, y ClassCount) int { return cmp.Compare(x.Examples, y.Examples) })
		shown = shown[:shownClasses]
	}
	width, largest, digits := len("class"), 1, len("images")
	for _, c := range r.Classes {
		largest = max(largest, c.Examples)
	}
	for _, c := range shown {
		width = max(width, utf8.RuneCountInString(printable.Text(c.Label)))
		digits = max(digits, len(fmt.Sprint(c.Examples)))
	}
	fmt.Fprintf(b, "%-*s  %*s\n", width, "class", digits, "images")
	for _, c := range shown {
		bar := strings.Repeat("█", (c.Examples*barWidth+largest-1)/largest) // any image gets a block
		line := fmt.Sprintf("%-*s  %*d  %s", width, printable.Text(c.Label), digits, c.Examples, bar)
		if c.Quarantined > 0 {
			line += fmt.Sprintf(" +%d quarantined", c.Quarantined)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if n := len(r.Classes) - len(shown); n > 0 {
		fmt.Fprintf(b, "… the %d smallest of %d classes\n", len(shown), len(r.Classes))
	}
	if r.Imbalance > 0 {
		fmt.Fprintf(b, "\nimbalance %.1f (largest class over smallest)\n", r.Imbalance)
	}
}

func (r *Report) tableSizes(b *strings.Builder) {
	for _, f := range r.Facts(strconv.Itoa) {
		fmt.Fprintf(b, "%-9s %s\n", f.Name, f.Text)
	}
}

func (r *Report) tableSides(b *strings.Builder) {
	if s := r.Sides; s != nil && s.Problem == "" {
		fmt.Fprintf(b, "split     %d to train, %d to validate, %d to test\n", s.Train, s.Validation, s.Test)
	}
}

func (r *Report) tableNear(b *strings.Builder) {
	n := r.Near
	if n == nil {
		return
	}
	title := fmt.Sprintf("%s of near duplicates (%d images that look alike", plural(len(n.Groups), "group"), n.Images())
	if r.Sides != nil && r.Sides.Together {
		title += "; each stays on one side of a split"
	}
	section(b, r.shown(), title+")", WorstFirst(n.Groups), NearGroup.String)
	section(b, r.shown(), plural(len(n.Plain), "image")+" too small or too plain to be compared", n.Plain, func(key string) string { return key })
}

func (r *Report) tableQuarantined(b *strings.Builder) {
	if len(r.Quarantined) == 0 {
		return
	}
	counts := r.Reasons()
	reasons := make([]string, 0, len(counts))
	for reason, n := range counts {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(reasons)
	section(b, r.shown(), fmt.Sprintf("%d quarantined (not used): ", len(r.Quarantined))+strings.Join(reasons, ", "), r.Quarantined, Quarantined.String)
}

// shown returns how many findings are named.
func (r *Report) shown() int {
	if r.unnamed {
		return 0
	}
	return shownItems
}

// section writes a title and the first few items.
func section[T any](b *strings.Builder, shown int, title string, items []T, text func(T) string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	if shown == 0 {
		return
	}
	for _, item := range items[:min(len(items), shown)] {
		fmt.Fprintf(b, "  %s\n", printable.Text(text(item)))
	}
	if n := len(items) - shown; n > 0 {
		fmt.Fprintf(b, "  … and %d more\n", n)
	}
}

func group(keys []string) string { return some(keys, 4) }

func classes(n int) string {
	if n == 1 {
		return "1 class"
	}
	return fmt.Sprintf("%d classes", n)
}

// Bytes formats a size with a unit that leaves few digits.
func Bytes(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n), "kMGTPE"
	for f >= unit && len(units) > 0 {
		f /= unit
		if f < unit || len(units) == 1 {
			return fmt.Sprintf("%.1f %cB", f, units[0])
		}
		units = units[1:]
	}
	return fmt.Sprint(n)
}

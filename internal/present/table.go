package present

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"tkit/internal/printable"
)

const (
	gap      = "  " // between two columns
	minWidth = 8    // of a column that is wrapped
)

// Rows writes one row for each item below a header, as [Table] does. A nil header is
// left out.
func Rows[T any](w io.Writer, header []string, items []T, row func(T) []string) error {
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = row(item)
	}
	return layOut(w, header, rows)
}

// Table writes rows below a header, with aligned columns. Cells may hold any text.
// On a terminal the widest columns are wrapped so that the rows fit.
func Table(w io.Writer, header []string, rows [][]string) error { return layOut(w, header, rows) }

// Pairs writes names and values in two aligned columns. Pairs without a value
// are omitted.
func Pairs(w io.Writer, pairs [][2]string) error {
	var rows [][]string
	for _, p := range pairs {
		if p[1] != "" {
			rows = append(rows, p[:])
		}
	}
	return layOut(w, nil, rows)
}

func layOut(w io.Writer, header []string, rows [][]string) error {
	escaped := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			escaped[i] = append(escaped[i], printable.Text(cell))
		}
	}
	var titles []string
	for _, title := range header {
		titles = append(titles, strings.ToUpper(title))
	}
	widths := columnWidths(append([][]string{titles}, escaped...), Width(w))
	if len(titles) > 0 {
		for _, line := range rowLines(titles, widths) {
			if err := Styled(w, Bold, line); err != nil {
				return err
			}
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
	}
	out := bufio.NewWriter(w)
	for _, row := range escaped {
		for _, line := range rowLines(row, widths) {
			out.WriteString(line + "\n") // Flush has the error
		}
	}
	return out.Flush()
}

// columnWidths returns the width of each column: that of its widest cell or, where
// a limit requires it, less for the widest columns. A limit of 0 is none. The last
// cell of a row widens its column only for the limit: nothing is aligned after it.
func columnWidths(rows [][]string, limit int) []int {
	var natural, aligned []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(natural) {
				natural, aligned = append(natural, 0), append(aligned, 0)
			}
			n := utf8.RuneCountInString(cell)
			natural[i] = max(natural[i], n)
			if i+1 < len(row) {
				aligned[i] = max(aligned[i], n)
			}
		}
	}
	total := len(gap) * (len(natural) - 1)
	for _, n := range natural {
		total += n
	}
	if limit == 0 || total <= limit {
		for i := range aligned {
			if i+1 == len(aligned) {
				aligned[i] = 0 // not wrapped
			}
		}
		return aligned
	}
	for ; total > limit; total-- {
		widest := 0
		for i, n := range natural {
			if n > natural[widest] {
				widest = i
			}
		}
		if natural[widest] <= minWidth {
			break // the terminal wraps the rest
		}
		natural[widest]--
	}
	return natural
}

// rowLines returns the lines of a row, with each cell wrapped at the width of its
// column. A width of 0, and that of a cell behind which nothing is aligned and
// that is not limited, does not wrap.
func rowLines(row []string, widths []int) []string {
	cells := make([][]string, len(row))
	height := 0
	for i, cell := range row {
		width := widths[i]
		if i+1 == len(row) && widths[len(widths)-1] == 0 {
			width = 0
		}
		cells[i] = Wrap(cell, width)
		height = max(height, len(cells[i]))
	}
	lines := make([]string, height)
	for n := range lines {
		var b strings.Builder
		for i, cell := range cells {
			text := ""
			if n < len(cell) {
				text = cell[n]
			}
			b.WriteString(text)
			if i+1 < len(cells) {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)) + gap)
			}
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

package digits

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads digits, such as "5-9", "1,7" or "0,5-9".
func Parse(text string) ([]int, error) {
	var digits []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, errFirst := strconv.Atoi(from)
		last, errLast := strconv.Atoi(to)
		if errFirst != nil || errLast != nil || first < 0 || last > 9 || first > last {
			return nil, fmt.Errorf("%q: want digits such as 5-9 or 1,7", text)
		}
		for d := first; d <= last; d++ {
			digits = append(digits, d)
		}
	}
	return digits, nil
}

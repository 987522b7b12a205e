package commandline

import (
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// Limits are the minimum and maximum of a numeric flag. Those of a duration are
// in seconds.
type Limits [2]float64

// Positive, as the minimum, allows every number above 0.
const Positive = 1e-12

// Bounds are the limits of numeric flags by command and flag. The command ""
// stands for all commands.
type Bounds map[string]map[string]Limits

// Of returns the limits of a command's flag.
func (b Bounds) Of(command, flag string) (l Limits, known bool) {
	if l, known = b[command][flag]; !known {
		l, known = b[""][flag]
	}
	return l, known
}

// check rejects a number outside its limits.
func (b Bounds) check(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		l, known := b.Of(c.Command.Name, name)
		if !known || !c.IsSet(name) {
			continue
		}
		value, text := number(c, name)
		if !(value >= l[0] && value <= l[1]) { // also rejects NaN
			return fmt.Errorf("--%s is %s: want %s", name, text, l.text(c.Value(name)))
		}
	}
	return nil
}

// number returns the value of a numeric flag, and its text.
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
		panic(fmt.Sprintf("--%s has bounds and is a %T", name, v)) // a test checks every flag
	}
}

// text describes the allowed values of a flag that has a value.
func (l Limits) text(value any) string {
	if _, ok := value.(time.Duration); ok {
		return fmt.Sprintf("%v to %v", time.Duration(l[0]*float64(time.Second)), time.Duration(l[1]*float64(time.Second)))
	}
	if l[0] == Positive {
		return fmt.Sprintf("more than 0, and at most %v", l[1])
	}
	return strconv.FormatFloat(l[0], 'f', -1, 64) + " to " + strconv.FormatFloat(l[1], 'f', -1, 64)
}

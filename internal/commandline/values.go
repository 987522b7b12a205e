package commandline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// A Value is what the argument of a command or of a flag may be. The zero Value
// is any text.
type Value struct {
	// Choices are the only valid values, if there are any.
	Choices []string
	// Check refuses an invalid value. It reads no data, but may look whether a file
	// exists. A value that it accepts may still name something that does not exist.
	Check func(string) error
	// Offer returns the values that a shell may complete, besides Choices.
	Offer func(*cli.Context) []string
}

// Values are the values of arguments, by their name in the usage of the command,
// such as "MODEL", and of flags, such as "--model". One that differs between
// commands has the command's name before it: "train --name", "add NAME".
type Values map[string]Value

// flag returns the value of a command's flag.
func (v Values) flag(command, flag string) Value { return v.of(command, "--"+flag) }

func (v Values) of(command, word string) Value {
	if own, is := v[command+" "+word]; is {
		return own
	}
	return v[word]
}

// argument returns the value of a command's argument at a position, from 0.
func (v Values) argument(c *cli.Command, position int) Value {
	for i, word := range strings.Fields(c.ArgsUsage) {
		repeated, more := strings.CutSuffix(word, "...")
		bare, optional := strings.CutPrefix(word, "[")
		bare, ends := strings.CutSuffix(bare, "]")
		switch {
		case more:
			return v.of(c.Name, repeated)
		case i == position && optional:
			return v.of(c.Name, bare)
		case i == position:
			return v.of(c.Name, word)
		case optional && !ends:
			return Value{} // what follows depends on the alternative
		}
	}
	return Value{}
}

// check checks the flags that are set, and the arguments.
func (v Values) check(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		value := v.flag(c.Command.Name, name)
		for _, given := range texts(c, name) {
			if err := value.check("--"+name, given); err != nil {
				return err
			}
		}
	}
	for i, given := range c.Args().Slice() {
		if err := v.argument(c.Command, i).check("", given); err != nil {
			return err
		}
	}
	return nil
}

// check checks the value of a flag, or of an argument if flag is "".
func (v Value) check(flag, given string) error {
	if len(v.Choices) > 0 && !slices.Contains(v.Choices, given) {
		what := strconv.Quote(given)
		if flag != "" {
			what = flag + " is " + what
		}
		return fmt.Errorf("%s: want %s%s", what, either(v.Choices), didYouMean("", given, v.Choices))
	}
	if v.Check == nil {
		return nil
	}
	err := v.Check(given)
	if err != nil && flag != "" {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return err
}

// texts returns the values of a flag that takes text, and nothing for another.
func texts(c *cli.Context, name string) []string {
	switch value := c.Value(name).(type) {
	case string:
		return []string{value}
	case cli.StringSlice:
		return value.Value()
	}
	return nil
}

// either lists choices in a sentence.
func either(choices []string) string {
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

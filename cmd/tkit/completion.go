package main

import (
	_ "embed"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The shells ask tkit itself what may follow, so what completes is always what
// this binary knows: commands, flags, model names.
//
//go:embed completion/tkit.bash
var bashCompletion string

//go:embed completion/tkit.zsh
var zshCompletion string

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `Examples:
   source <(tkit completion bash)
   tkit completion zsh > "${fpath[1]}/_tkit"
   tkit completion fish > ~/.config/fish/completions/tkit.fish`,
		BashComplete: func(*cli.Context) { fmt.Print("bash\nzsh\nfish\n") },
		Action: func(c *cli.Context) error {
			switch shell := c.Args().First(); shell {
			case "bash":
				fmt.Fprint(c.App.Writer, bashCompletion)
			case "zsh":
				fmt.Fprint(c.App.Writer, zshCompletion)
			case "fish":
				script, err := c.App.ToFishCompletion()
				if err != nil {
					return fmt.Errorf("fish completion: %w", err)
				}
				fmt.Fprint(c.App.Writer, script)
			default:
				return fmt.Errorf("completion for %q: the shells are bash, zsh and fish", shell)
			}
			return nil
		},
	}
}

package commandline

import (
	"embed"

	"github.com/urfave/cli/v2"
)

// The shells ask tkit itself what may follow, so what completes is always what
// this binary knows: commands, flags, and names in the home.
//
//go:embed completion
var completions embed.FS

// CompletionCommand prints the script that makes a shell complete tkit's commands.
func CompletionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `Examples:
   source <(tkit completion bash)
   tkit completion zsh > "${fpath[1]}/_tkit"
   tkit completion fish > ~/.config/fish/completions/tkit.fish`,
		Action: func(c *cli.Context) error {
			script, err := completions.ReadFile("completion/tkit." + c.Args().First())
			if err != nil {
				return err
			}
			_, err = c.App.Writer.Write(script)
			return err
		},
	}
}

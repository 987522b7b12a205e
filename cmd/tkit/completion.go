package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// The shells ask tkit itself what may follow, so what completes is always what
// this binary knows: commands, flags, model names.
const bashCompletion = `_tkit() {
  local current="${COMP_WORDS[COMP_CWORD]}" words
  words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ "$current" == -* ]] && words+=("$current")
  COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$current"))
}
complete -o default -F _tkit tkit
`

const zshCompletion = `#compdef tkit
_tkit() {
  local -a found
  local current="${words[CURRENT]}"
  if [[ "$current" == -* ]]; then
    found=("${(@f)$(${words[1,CURRENT]} --generate-bash-completion 2>/dev/null)}")
  else
    found=("${(@f)$(${words[1,CURRENT-1]} --generate-bash-completion 2>/dev/null)}")
  fi
  found=("${(@)found:#}")
  [[ ${#found} -gt 0 ]] && compadd -a found || _files
}
compdef _tkit tkit
`

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

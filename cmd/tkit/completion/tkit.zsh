#compdef tkit
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

#compdef tkit
_tkit() {
  local -a found described
  local line
  found=("${(@f)$("${(@Q)words[1,CURRENT]}" --generate-shell-completion 2>/dev/null)}")
  for line in "${(@)found:#}"; do
    described+=("${${line%%$'\t'*}//:/\\:}${${line#${line%%$'\t'*}}/$'\t'/:}")
  done
  if (( ${#described} )); then _describe tkit described; else _files; fi
}
# Autoloaded from fpath this file is the function; sourced it defines it.
if [[ "${funcstack[1]}" == _tkit ]]; then _tkit "$@"; else compdef _tkit tkit; fi

_tkit() {
  # The words are split at spaces only; readline also splits them at = : and @.
  local words current found line
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  [[ "${COMP_LINE:0:COMP_POINT}" == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  mapfile -t found < <("${words[@]}" --generate-shell-completion 2>/dev/null)
  COMPREPLY=()
  for line in "${found[@]}"; do
    line=${line%%$'\t'*}
    COMPREPLY+=("${line#"${current%"$2"}"}") # what readline has not split off
  done
}
complete -o default -F _tkit tkit

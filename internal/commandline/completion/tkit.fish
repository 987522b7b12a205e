function __tkit_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command $words "$current" --generate-shell-completion 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c tkit -f -a '(__tkit_complete)'

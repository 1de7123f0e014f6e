"""What a shell is told so that it asks us how a word may go on.

Responsible for what differs between shells: where a word begins and ends, quotes, and how offers
are handed over. What is offered comes from ``virtproto complete``: lines of a kind ("word", "part",
which something follows at once, or what a shell knows by itself, "file" or "command"), a word and
what it is, with tabs between them.
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

_BASH = r"""# Completion of virtproto for bash 4.4 and later:
#   eval "$(virtproto completion bash)"
_virtproto_complete() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word index before
    # Bash has cut words at = and : which to virtproto are parts of them.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        before=${line%%[![:space:]]*}
        line=${line#"$before"}
        if ((index == COMP_CWORD)); then
            word=$line
        fi
        line=${line#"$word"}
        if [[ -n $before ]] || ((index == 0)); then
            words+=("$word")
        else
            words[${#words[@]}-1]+=$word
        fi
    done
    local current=${words[${#words[@]}-1]} cut='' kind value said
    # What bash replaces begins after the last of its own cuts.
    [[ $COMP_WORDBREAKS == *=* && $current == *=* ]] && cut=${current%"${current##*=}"}
    [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && {
        value=${current%"${current##*:}"}
        ((${#value} > ${#cut})) && cut=$value
    }
    COMPREPLY=()
    while IFS=$'\t' read -r kind value said; do
        case $kind in
            file)
                compopt -o default
                COMPREPLY=()
                return
                ;;
            command)
                COMPREPLY=($(compgen -c -- "$current"))
                return
                ;;
            part) compopt -o nospace ;;
        esac
        value=${value#"$cut"}
        [[ $current != [\'\"]* && $value == *[!A-Za-z0-9_.,:=/@%+-]* ]] &&
            printf -v value %q "$value"
        COMPREPLY+=("$value")
    done < <("$1" complete -- "${words[@]:1}" 2>/dev/null </dev/null)
}
complete -F _virtproto_complete virtproto
"""

_ZSH = r"""#compdef virtproto
# Completion of virtproto for zsh: this as a file _virtproto in a folder of $fpath, or
#   eval "$(virtproto completion zsh)"
_virtproto() {
    local offered line kind value said
    local -a whole whole_said part part_said
    offered=$("${words[1]}" complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)
    for line in "${(@f)offered}"; do
        kind=${line%%$'\t'*}
        line=${line#*$'\t'}
        value=${line%%$'\t'*}
        said=${line#*$'\t'}
        [[ -n $said ]] && said="$value  -- $said" || said=$value
        case $kind in
            file) _files; return ;;
            command) _command_names -e; return ;;
            part) part+=("$value"); part_said+=("$said") ;;
            word) whole+=("$value"); whole_said+=("$said") ;;
        esac
    done
    (($#whole)) && compadd -l -M 'm:{a-z}={A-Z}' -d whole_said -- "${whole[@]}"
    (($#part)) && compadd -l -M 'm:{a-z}={A-Z}' -S '' -d part_said -- "${part[@]}"
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _virtproto "$@"
else
    compdef _virtproto virtproto
fi
"""

_FISH = r"""# Completion of virtproto for fish, in ~/.config/fish/completions/virtproto.fish or by
#   virtproto completion fish | source
function __virtproto_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct | string unescape)
    for line in ($words[1] complete -- $words[2..] "$current" 2>/dev/null </dev/null)
        set -l parts (string split \t -- $line)
        switch $parts[1]
            case file
                __fish_complete_path "$current"
                return
            case command
                complete -C "$current"
                return
            case '*'
                printf '%s\t%s\n' $parts[2] $parts[3]
        end
    end
end
complete -c virtproto -f -a '(__virtproto_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

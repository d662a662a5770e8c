"""The script for bash."""

from __future__ import annotations

import shlex

from bgpctl.cli.completion.cluster import FLAGS, KEPT_SECONDS, NAMES, SECONDS, Names
from bgpctl.cli.completion.tree import PROGRAMS, Command, fill, walk

_SCRIPT = r"""# bash @HEADER@

# Sets `commands`, `options` and `arguments` for the command whose words are $1.
_bgpctl_offer() {
    commands='' options='' arguments=''
    case $1 in
@OFFERS@
    esac
}

# The values that option $2 of command $1 takes: words, @ and a kind of names, or nothing to offer. Fails for
# a switch.
_bgpctl_values() {
    case "$1:$2" in
@VALUES@
        *) return 1 ;;
    esac
}

# Sets `names` to those of kind $1, by the cluster's word. After it: what was typed of @FLAGS@.
_bgpctl_names() {
    if [[ "$*" != "${_bgpctl_names_of-}" || $SECONDS -gt ${_bgpctl_names_until:--1} ]]; then
        _bgpctl_names_of="$*" _bgpctl_names_until=$((SECONDS + @KEPT@))
        local kind=$1
        shift
        _bgpctl_names_seen=''
        case $kind in
@ASK@
        esac
    fi
    names=$_bgpctl_names_seen
}

_bgpctl_kubectl() {
    timeout @SECONDS@ kubectl "$@" 2>/dev/null </dev/null
}

_bgpctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} path='' word i commands options arguments values option='' names
    local -a kube=()
    # bash splits --output=json into three words
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == '=' ]]; then continue; fi
        if [[ -n $option ]]; then
            case $option in @CASE@) kube+=("$option" "${word/#\~/$HOME}") ;; esac
            option=''
            continue
        fi
        if [[ $word == -* ]]; then
            if _bgpctl_values "$path" "$word" >/dev/null; then option=$word; fi
            continue
        fi
        _bgpctl_offer "$path"
        if [[ " $commands " == *" $word "* ]]; then path="${path:+$path }$word"; fi
    done
    [[ $cur == '=' ]] && cur=''
    COMPREPLY=()
    if [[ -n $option ]]; then
        values=$(_bgpctl_values "$path" "$option")
    else
        _bgpctl_offer "$path"
        if [[ $cur == -* ]]; then values=$options; else values=${commands:-$arguments}; fi
    fi
    case $values in
        @file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        @dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        @*)
            _bgpctl_names "${values#@}" "${kube[@]}"
            mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur") ;;
    esac
}
complete -F _bgpctl @PROGRAMS@
"""


def script(root: Command) -> str:
    """The whole script."""
    offers, values = [], []
    for command in walk(root):
        flags = " ".join(flag for option in command.options for flag in option.flags)
        children = " ".join(child.path[-1] for child in command.children)
        arguments = f"@{command.kind}" if command.kind else " ".join(command.values)
        offers.append(
            f"        '{command.words}') commands='{children}' options='{flags}' arguments='{arguments}' ;;"
        )
        for option in command.options:
            if option.values is not None:
                cases = "|".join(f"'{command.words}:{flag}'" for flag in option.flags)
                words = f"@{option.kind}" if option.kind else " ".join(option.values)
                values.append(f"        {cases}) echo '{words}' ;;")
    return fill(
        _SCRIPT,
        OFFERS="\n".join(offers),
        VALUES="\n".join(values),
        ASK="\n".join(_ask(kind, names) for kind, names in NAMES.items()),
        FLAGS=" and ".join(FLAGS),
        CASE="|".join(FLAGS),
        KEPT=str(KEPT_SECONDS),
        SECONDS=str(SECONDS),
        PROGRAMS=" ".join(PROGRAMS),
    )


def _ask(kind: str, names: Names) -> str:
    asked = [
        f"            _bgpctl_names_seen+=$(_bgpctl_kubectl {shlex.join(words)} \"$@\")$'\\n'"
        for words in names.asked
    ]
    strip = (
        f"            _bgpctl_names_seen=${{_bgpctl_names_seen//{names.prefix.replace('/', chr(92) + '/')}/}}"
    )
    return "\n".join([f"        {kind})", *asked, *([strip] if names.prefix else []), "            ;;"])

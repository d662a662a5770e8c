"""The script for zsh."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bgpctl.cli.completion.cluster import FLAGS, KEPT_SECONDS, NAMES, SECONDS, Names
from bgpctl.cli.completion.tree import PROGRAMS, Command, Option, fill, walk

_ZSH = r"""#compdef @PROGRAMS@
# zsh @HEADER@

# Offers the names of kind $1, by the cluster's word.
_bgpctl_names() {
    local -a kube
    local flag
    for flag in @FLAGS@; do
        (( ${words[(I)$flag]} )) && kube+=($flag ${words[${words[(I)$flag]} + 1]/#\~/$HOME})
    done
    if [[ "$1 $kube" != "${_bgpctl_names_of-}" || $SECONDS -gt ${_bgpctl_names_until:--1} ]]; then
        typeset -g _bgpctl_names_of="$1 $kube" _bgpctl_names_until=$((SECONDS + @KEPT@))
        typeset -ga _bgpctl_names_seen
        _bgpctl_names_seen=()
        case $1 in
@ASK@
        esac
    fi
    compadd -- $_bgpctl_names_seen
}

_bgpctl_kubectl() {
    timeout @SECONDS@ kubectl "$@" $kube 2>/dev/null </dev/null
}

@FUNCTIONS@
if [[ ${funcstack[1]-} == _bgpctl ]]; then  # found on the fpath, to complete now
    _bgpctl "$@"
elif (( ${+functions[compdef]} )); then  # sourced
    compdef _bgpctl @PROGRAMS@
else
    print -u2 'bgpctl: zsh completes nothing yet: autoload -U compinit; compinit'
fi
"""


_ZSH_GROUP = r"""@NAME@() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C -s -S \
        @SPECS@
    case $state in
        command)
            local -a commands=(
@NAMES@
            )
            _describe command commands ;;
        argument) case $line[1] in
@CALLS@
        esac ;;
    esac
}
"""


def script(root: Command) -> str:
    """The whole script."""
    functions = "\n".join(_function(command) for command in walk(root))
    return fill(
        _ZSH,
        FUNCTIONS=functions,
        ASK="\n".join(_ask(kind, names) for kind, names in NAMES.items()),
        FLAGS=" ".join(FLAGS),
        KEPT=str(KEPT_SECONDS),
        SECONDS=str(SECONDS),
        PROGRAMS=" ".join(PROGRAMS),
    )


def _ask(kind: str, names: Names) -> str:
    asked = [
        f'            _bgpctl_names_seen+=(${{(f)"$(_bgpctl_kubectl {shlex.join(words)})"}})'
        for words in names.asked
    ]
    strip = f"            _bgpctl_names_seen=(${{_bgpctl_names_seen#{names.prefix}}})"
    return "\n".join([f"        {kind})", *asked, *([strip] if names.prefix else []), "            ;;"])


def _name(path: tuple[str, ...]) -> str:
    return "_".join(["_bgpctl", *path])


def _function(command: Command) -> str:
    specs = [spec for option in command.options for spec in _option(option)]
    if not command.children:
        specs.append(f"'*:argument:{_action(command.values, command.kind)}'")
        body = " \\\n        ".join(["    _arguments -s -S", *specs])
        return f"{_name(command.path)}() {{\n{body}\n}}\n"
    specs += ["'1:command:->command'", "'*::argument:->argument'"]
    return fill(
        _ZSH_GROUP,
        NAME=_name(command.path),
        SPECS=" \\\n        ".join(specs),
        NAMES="\n".join(f"                {_quote(c.path[-1] + ':' + c.help)}" for c in command.children),
        CALLS="\n".join(f"            {c.path[-1]}) {_name(c.path)} ;;" for c in command.children),
    )


def _option(option: Option) -> Iterator[str]:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    group = " ".join(option.flags)
    for flag in option.flags:
        exclusive = f"({group})" if len(option.flags) > 1 else "*"
        takes = "" if option.values is None else "=" if flag.startswith("--") else "+"
        value = "" if option.values is None else f":value:{_action(option.values, option.kind)}"
        yield _quote(f"{exclusive}{flag}{takes}[{text}]{value}")


def _action(values: tuple[str, ...], kind: str) -> str:
    if kind:
        return {"file": "_files", "dir": "_files -/"}.get(kind, f"{{_bgpctl_names {kind}}}")
    return f"({' '.join(values)})" if values else " "


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

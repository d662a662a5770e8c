"""The script for fish."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bgpctl.cli.completion.cluster import FLAGS, KEPT_SECONDS, NAMES, SECONDS, Names
from bgpctl.cli.completion.tree import PROGRAMS, Command, Option, fill, walk

_FISH = r"""# fish @HEADER@

# Is the command that is being typed the one whose words are in $argv[1]?
function __bgpctl_at
    set -l path
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
        else if string match -q -- '-*' $word
            contains -- $word @VALUED@; and set value yes
        else if contains -- (string join ' ' $path $word) @PATHS@
            set -a path $word
        end
    end
    test "$path" = "$argv[1]"
end

# The names of kind $argv[1], by the cluster's word.
function __bgpctl_names
    set -l typed (commandline -opc)
    set -g __bgpctl_kube
    for flag in @FLAGS@
        if set -l at (contains -i -- $flag $typed)
            set -a __bgpctl_kube $flag (string replace -r '^~' $HOME -- $typed[(math $at + 1)])
        end
    end
    set -l now (date +%s)
    if not set -q __bgpctl_names_of
        or test "$argv[1] $__bgpctl_kube" != "$__bgpctl_names_of"
        or test $now -gt $__bgpctl_names_until
        set -g __bgpctl_names_of "$argv[1] $__bgpctl_kube"
        set -g __bgpctl_names_until (math $now + @KEPT@)
        set -g __bgpctl_names_seen
        switch $argv[1]
@ASK@
        end
    end
    string join \n -- $__bgpctl_names_seen
end

function __bgpctl_kubectl
    timeout @SECONDS@ kubectl $argv $__bgpctl_kube 2>/dev/null </dev/null
end

for program in @PROGRAMS@
@LINES@
end
"""


def script(root: Command) -> str:
    """The whole script."""
    commands = list(walk(root))
    valued = {f for c in commands for o in c.options if o.values is not None for f in o.flags}
    paths = " ".join(_quote(command.words) for command in commands if command.path)
    lines = [line for command in commands for line in _lines(command)]
    return fill(
        _FISH,
        VALUED=" ".join(sorted(valued)),
        PATHS=paths,
        ASK="\n".join(_ask(kind, names) for kind, names in NAMES.items()),
        FLAGS=" ".join(FLAGS),
        KEPT=str(KEPT_SECONDS),
        SECONDS=str(SECONDS),
        LINES="\n".join(f"    complete -c $program {line}" for line in lines),
        PROGRAMS=" ".join(PROGRAMS),
    )


def _ask(kind: str, names: Names) -> str:
    strip = f" | string replace -- {names.prefix} ''" if names.prefix else ""
    asked = [
        f"                set -a __bgpctl_names_seen (__bgpctl_kubectl {shlex.join(words)}{strip})"
        for words in names.asked
    ]
    return "\n".join([f"            case {kind}", *asked])


def _names(kind: str) -> str:
    return f" -a '(__bgpctl_names {kind})'"


def _lines(command: Command) -> Iterator[str]:
    here = f"-n {_quote(f'__bgpctl_at {_quote(command.words)}')}"
    if command.kind in NAMES:
        yield f"{here} -f{_names(command.kind)}"
    elif not command.kind:
        yield f"{here} -f" + (f" -a {_quote(' '.join(command.values))}" if command.values else "")
    for child in command.children:
        yield f"{here} -a {child.path[-1]} -d {_quote(child.help)}"
    for option in command.options:
        flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.flags)
        yield f"{here} {flags} {_value(option)}-d {_quote(option.help)}"


def _value(option: Option) -> str:
    if option.values is None:
        return ""
    if option.kind:
        return f"-x{_names(option.kind)} " if option.kind in NAMES else "-r -F "
    return f"-x -a {_quote(' '.join(option.values))} " if option.values else "-x "


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

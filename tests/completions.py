"""Writes completions/ from the command tree: `python -m tests.completions` (or `make completions`).

The scripts are static, so that a TAB starts no Python. Commands, options and the values of options that have
a fixed set are completed; paths where a path is wanted; and nodes, for which kubectl asks the cluster (0.1 s,
a second at most): what it said holds for ten seconds, and when it says nothing, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parent.parent / "completions"
PROGRAMS = ("bgpctl", "kubectl-bgp")
HEADER = "completion for bgpctl and kubectl-bgp. Written by `make completions`; do not edit."

_KINDS = {
    **dict.fromkeys(("PATH", "STATE.yaml", "FILE..."), "file"),
    **dict.fromkeys(("DIR",), "dir"),
    **dict.fromkeys(("NODE", "[NODE]..."), "node"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """`values`: None for a switch, else the words to offer; `kind` "file" or "dir" where a path is wanted,
    "node" where the name of a node is."""

    flags: tuple[str, ...]
    help: str
    values: tuple[str, ...] | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One node of the tree. `path` is its words; the root's is empty. `kind` is that of its arguments."""

    path: tuple[str, ...]
    help: str
    children: tuple[Command, ...]
    options: tuple[Option, ...]
    kind: str = ""

    @property
    def words(self) -> str:
        return " ".join(self.path)


def tree() -> Command:
    """The command tree as it is now."""
    from bgpctl.cli import app

    return _command(app.tree(), ())


def _command(command: Any, path: tuple[str, ...]) -> Command:
    children = tuple(_command(sub, (*path, name)) for name, sub in getattr(command, "commands", {}).items())
    options = [_option(p) for p in command.params if p.param_type_name == "option"]
    arguments = [_kind(p.metavar) for p in command.params if p.param_type_name == "argument"]
    help_option = Option(("-h", "--help"), "Show help and exit.", None)
    return Command(path, _first_sentence(command.help), children, (*options, help_option), "".join(arguments))


def _option(parameter: Any) -> Option:
    flags = tuple(parameter.opts + parameter.secondary_opts)
    if parameter.is_flag:
        return Option(flags, _first_sentence(parameter.help), None)
    choices = tuple(getattr(parameter.type, "choices", ()))
    return Option(flags, _first_sentence(parameter.help), choices, _kind(parameter.metavar))


def _kind(metavar: str | None) -> str:
    return _KINDS.get(metavar or "", "")


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def walk(command: Command) -> Iterator[Command]:
    yield command
    for child in command.children:
        yield from walk(child)


# --- bash ---------------------------------------------------------------------------------------------------

_BASH = r"""# bash @HEADER@

# Sets `commands`, `options` and `arguments` for the command whose words are $1.
_bgpctl_offer() {
    commands='' options='' arguments=''
    case $1 in
@OFFERS@
    esac
}

# The values that option $2 of command $1 takes: words, @file, @dir, @node, or nothing to offer. Fails for a
# switch.
_bgpctl_values() {
    case "$1:$2" in
@VALUES@
        *) return 1 ;;
    esac
}

# Sets `nodes`. The arguments are what was typed of --context and --kubeconfig.
_bgpctl_nodes() {
    if [[ "$*" != "${_bgpctl_nodes_of-}" || $SECONDS -gt ${_bgpctl_nodes_until:--1} ]]; then
        _bgpctl_nodes_of="$*" _bgpctl_nodes_until=$((SECONDS + 10))
        _bgpctl_nodes_seen=$(timeout 1 kubectl get nodes -o name "$@" 2>/dev/null </dev/null)
        _bgpctl_nodes_seen=${_bgpctl_nodes_seen//node\//}
    fi
    nodes=$_bgpctl_nodes_seen
}

_bgpctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} path='' word i commands options arguments values option='' nodes
    local -a kube=()
    # bash splits --output=json into three words
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == '=' ]]; then continue; fi
        if [[ -n $option ]]; then
            case $option in --context|--kubeconfig) kube+=("$option" "${word/#\~/$HOME}") ;; esac
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
        @node) _bgpctl_nodes "${kube[@]}"; mapfile -t COMPREPLY < <(compgen -W "$nodes" -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur") ;;
    esac
}
complete -F _bgpctl @PROGRAMS@
"""


def bash(root: Command) -> str:
    offers, values = [], []
    for command in walk(root):
        flags = " ".join(flag for option in command.options for flag in option.flags)
        children = " ".join(child.path[-1] for child in command.children)
        arguments = f"@{command.kind}" if command.kind else ""
        offers.append(
            f"        '{command.words}') commands='{children}' options='{flags}' arguments='{arguments}' ;;"
        )
        for option in command.options:
            if option.values is not None:
                cases = "|".join(f"'{command.words}:{flag}'" for flag in option.flags)
                words = f"@{option.kind}" if option.kind else " ".join(option.values)
                values.append(f"        {cases}) echo '{words}' ;;")
    return _fill(_BASH, OFFERS="\n".join(offers), VALUES="\n".join(values), PROGRAMS=" ".join(PROGRAMS))


# --- zsh ----------------------------------------------------------------------------------------------------

_ZSH = r"""#compdef @PROGRAMS@
# zsh @HEADER@

_bgpctl_nodes() {
    local -a kube
    local flag
    for flag in --context --kubeconfig; do
        (( ${words[(I)$flag]} )) && kube+=($flag ${words[${words[(I)$flag]} + 1]/#\~/$HOME})
    done
    if [[ "$kube" != "${_bgpctl_nodes_of-}" || $SECONDS -gt ${_bgpctl_nodes_until:--1} ]]; then
        typeset -g _bgpctl_nodes_of="$kube" _bgpctl_nodes_until=$((SECONDS + 10))
        typeset -ga _bgpctl_nodes_seen
        _bgpctl_nodes_seen=(${(f)"$(timeout 1 kubectl get nodes -o name $kube 2>/dev/null </dev/null)"})
    fi
    compadd -- ${_bgpctl_nodes_seen#node/}
}

@FUNCTIONS@
_bgpctl "$@"
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


def zsh(root: Command) -> str:
    functions = "\n".join(_zsh_function(command) for command in walk(root))
    return _fill(_ZSH, FUNCTIONS=functions, PROGRAMS=" ".join(PROGRAMS))


def _zsh_name(path: tuple[str, ...]) -> str:
    return "_".join(["_bgpctl", *path])


def _zsh_function(command: Command) -> str:
    specs = [spec for option in command.options for spec in _zsh_option(option)]
    if not command.children:
        specs.append(f"'*:argument:{_zsh_action((), command.kind)}'")
        body = " \\\n        ".join(["    _arguments -s -S", *specs])
        return f"{_zsh_name(command.path)}() {{\n{body}\n}}\n"
    specs += ["'1:command:->command'", "'*::argument:->argument'"]
    return _fill(
        _ZSH_GROUP,
        NAME=_zsh_name(command.path),
        SPECS=" \\\n        ".join(specs),
        NAMES="\n".join(f"                {_quote(c.path[-1] + ':' + c.help)}" for c in command.children),
        CALLS="\n".join(f"            {c.path[-1]}) {_zsh_name(c.path)} ;;" for c in command.children),
    )


def _zsh_option(option: Option) -> Iterator[str]:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    group = " ".join(option.flags)
    for flag in option.flags:
        exclusive = f"({group})" if len(option.flags) > 1 else "*"
        takes = "" if option.values is None else "=" if flag.startswith("--") else "+"
        value = "" if option.values is None else f":value:{_zsh_action(option.values, option.kind)}"
        yield _quote(f"{exclusive}{flag}{takes}[{text}]{value}")


def _zsh_action(values: tuple[str, ...], kind: str) -> str:
    if kind:
        return {"file": "_files", "dir": "_files -/", "node": "_bgpctl_nodes"}[kind]
    return f"({' '.join(values)})" if values else " "


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- fish ---------------------------------------------------------------------------------------------------

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

function __bgpctl_nodes
    set -l typed (commandline -opc)
    set -l kube
    for flag in --context --kubeconfig
        if set -l at (contains -i -- $flag $typed)
            set -a kube $flag (string replace -r '^~' $HOME -- $typed[(math $at + 1)])
        end
    end
    set -l now (date +%s)
    if not set -q __bgpctl_nodes_of
        or test "$kube" != "$__bgpctl_nodes_of"
        or test $now -gt $__bgpctl_nodes_until
        set -g __bgpctl_nodes_of "$kube"
        set -g __bgpctl_nodes_until (math $now + 10)
        set -g __bgpctl_nodes_seen (timeout 1 kubectl get nodes -o name $kube 2>/dev/null </dev/null)
    end
    string replace 'node/' '' -- $__bgpctl_nodes_seen
end

for program in @PROGRAMS@
@LINES@
end
"""


def fish(root: Command) -> str:
    commands = list(walk(root))
    valued = {f for c in commands for o in c.options if o.values is not None for f in o.flags}
    paths = " ".join(_quote(command.words) for command in commands if command.path)
    lines = [line for command in commands for line in _fish_lines(command)]
    return _fill(
        _FISH,
        VALUED=" ".join(sorted(valued)),
        PATHS=paths,
        LINES="\n".join(f"    complete -c $program {line}" for line in lines),
        PROGRAMS=" ".join(PROGRAMS),
    )


_FISH_NODES = " -a '(__bgpctl_nodes)'"


def _fish_lines(command: Command) -> Iterator[str]:
    here = f"-n {_fish_quote(f'__bgpctl_at {_fish_quote(command.words)}')}"
    if command.kind in ("", "node"):
        yield f"{here} -f{_FISH_NODES if command.kind else ''}"
    for child in command.children:
        yield f"{here} -a {child.path[-1]} -d {_fish_quote(child.help)}"
    for option in command.options:
        flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.flags)
        yield f"{here} {flags} {_fish_value(option)}-d {_fish_quote(option.help)}"


def _fish_value(option: Option) -> str:
    if option.values is None:
        return ""
    if option.kind:
        return f"-x{_FISH_NODES} " if option.kind == "node" else "-r -F "
    return f"-x -a {_fish_quote(' '.join(option.values))} " if option.values else "-x "


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- all ----------------------------------------------------------------------------------------------------


def _fill(template: str, **parts: str) -> str:
    text = template.replace("@HEADER@", HEADER)
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def scripts() -> dict[str, str]:
    """File name -> content, as it should be."""
    root = tree()
    return {"bgpctl.bash": bash(root), "_bgpctl": zsh(root), "bgpctl.fish": fish(root)}


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in scripts().items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")

"""Defaults of flags from the environment and from the defaults file (`bgpctl config`). A flag that is typed
wins, then BGPCTL_…, then the file: what holds for the kubeconfig's context, then what holds everywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgpctl.cli import parse
from bgpctl.cli.flags import Given
from bgpctl.core.settings import SETTINGS, Setting, spoken
from bgpctl.errors import UsageError

if TYPE_CHECKING:
    from bgpctl.documents.settings import File

VERBOSE = "bgpctl.verbose"
NOT_FOR = (("lab",), ("config",))
CHECK = "`bgpctl config check` tells every fault at once"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A setting's value as it would be typed, and who says so: `FILE:LINE`, or the environment."""

    setting: Setting
    texts: tuple[str, ...]
    origin: str


def chosen(given: Given) -> dict[str, Chosen]:
    """The settings that hold for this command line, by name. Raises UsageError for faults of the file that
    concern it; what is wrong for another context is told by `config check`."""
    return {**_of_file(given), **dict(_of_environment())}


def _of_environment() -> Iterator[tuple[str, Chosen]]:
    for name, setting in SETTINGS.items():
        if text := os.environ.get(setting.variable):
            texts = tuple(text.split()) if setting.many else (text,)
            yield name, Chosen(setting, texts, f"${setting.variable}")


def _of_file(given: Given) -> dict[str, Chosen]:
    from bgpctl.documents.settings import VARIABLE, where

    if not os.environ.get(VARIABLE) and not where().exists():
        return {}
    from bgpctl.documents.settings import load

    file = load()
    context = context_of(given) if file.settings.contexts or file.faults else ""
    for fault in file.faults:
        if fault.path[:1] != ("contexts",) or fault.path[1:2] in ((), (context,)):
            raise UsageError(f"{file.place(fault.path)}: {spoken(fault.path)}: {fault.message}", CHECK)
    return {
        name: Chosen(SETTINGS[name], value.texts, file.place(value.path))
        for name, value in file.settings.of(context).items()
    }


def context_of(given: Given) -> str:
    """The context of the kubeconfig that a command line means; "" = none."""
    from bgpctl.kube.config import current_context

    return given.context or current_context(given.kubeconfig)


def of_line(root: Any, arguments: Sequence[str]) -> dict[str, Any] | None:
    """The parser's defaults for this command line, nested as the commands are; None where its command takes
    no setting. Raises UsageError for a value that its flag would refuse."""
    path, takes = _command(root, arguments)
    if not takes or {"--help", "-h"} & set(arguments):
        return None
    values = {}
    for name, one in chosen(given_by(arguments)).items():
        if name not in takes:
            continue
        if refused := fault(root, one.setting, one.texts):
            way = "correct it, or unset it" if one.origin.startswith("$") else CHECK
            raise UsageError(f"{one.origin}: {name}: {refused}", way)
        values[takes[name].name] = _value(one.setting, one.texts)
    for word in reversed(path):
        values = {word: values}
    return values


def _command(root: Any, arguments: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The words of the command that is meant, and its flags that are settings, by the settings' names."""
    command, path = root, tuple[str, ...]()
    for word in _words(arguments):
        if word in getattr(command, "commands", {}):
            command, path = command.commands[word], (*path, word)
    flags = {flag: one for one in command.params for flag in one.opts}
    taken = [one for one in SETTINGS.values() if one.flag in flags and _takes(path, one)]
    return path, {one.name: flags[one.flag] for one in taken}


def _takes(path: tuple[str, ...], setting: Setting) -> bool:
    return path[:1] not in NOT_FOR and (not setting.commands or " ".join(path) in setting.commands)


def fault(root: Any, setting: Setting, texts: Sequence[str]) -> str:
    """Why the flag would refuse this value; "" = it would not."""
    if setting.switch and tuple(texts) not in (("true",), ("false",)):
        return "it must be true or false"
    _, parameter = next(_takers(root, setting))
    try:
        parameter.type_cast_value(None, _value(setting, texts))
        if setting.name in _CHECKS:
            _CHECKS[setting.name](texts)
    except UsageError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    except Exception as error:  # typer's exceptions are private
        if not hasattr(error, "format_message"):
            raise
        return str(getattr(error, "message", error)).rstrip(".")
    return ""


def _value(setting: Setting, texts: Sequence[str]) -> Any:
    return list(texts) if setting.many else texts[-1]


def _takers(root: Any, setting: Setting) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands that take this setting, as their words, each with the flag."""
    for path, command in _leaves(root, ()):
        if _takes(path, setting):
            yield from ((path, one) for one in command.params if setting.flag in one.opts)


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
    children: Mapping[str, Any] = getattr(command, "commands", {})
    for name, child in children.items():
        yield from _leaves(child, (*path, name))


def _probes(texts: Sequence[str]) -> None:
    from bgpctl.runbooks.kept import NO_PROBES
    from bgpctl.witness.probe import parse_probe

    for text in texts:
        if tuple(texts) != (NO_PROBES,):
            parse_probe(text)


def _schemes(texts: Sequence[str]) -> None:
    from bgpctl.core.timing.disruption import parse_schemes

    parse_schemes(texts)


# What a command finds wrong only later, and would not know to be the file's.
_CHECKS: Mapping[str, Callable[[Sequence[str]], object]] = {
    "router-probe": _probes,
    "peer-profile": parse.profiles,
    "scheme": _schemes,
}


def given_by(arguments: Sequence[str]) -> Given:
    """The Kubernetes flags of a line that is not parsed yet: its defaults depend on them."""
    return Given(_last(arguments, "--context"), _last(arguments, "--kubeconfig"))


def _words(arguments: Sequence[str]) -> list[str]:
    """The line without the Kubernetes flags that may stand before the command."""
    flags = ("--context", "--kubeconfig")
    left = list(arguments)
    while left and left[0].partition("=")[0] in flags:
        del left[: 1 if "=" in left[0] else 2]
    return left


def _last(arguments: Sequence[str], flag: str) -> str | None:
    found = None
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--":
            break
        if word == flag:
            found = following
        elif word.startswith(f"{flag}="):
            found = word.partition("=")[2]
    return found


def add_verbose(root: Any) -> None:
    """-v, on every command that takes a setting."""
    from typer.core import TyperOption

    takers = {path for setting in SETTINGS.values() for path, _ in _takers(root, setting)}
    for path, command in _leaves(root, ()):
        if path in takers:
            flag = TyperOption(
                param_decls=["--verbose", "-v"],
                is_flag=True,
                default=False,
                expose_value=False,
                callback=_remember,
                help="Say of each flag that has its value from the environment or a file, from where.",
            )
            command.params.append(flag)


def _remember(ctx: Any, _: Any, asked: bool) -> None:
    ctx.meta[VERBOSE] = asked


def tell(ctx: Any, given: Given) -> None:
    """With -v: the values of this command that were not typed and are not the flags' own, on stderr."""
    if not ctx.meta.get(VERBOSE):
        return
    for one in chosen(given).values():
        for parameter in ctx.command.params:
            if one.setting.flag in parameter.opts and from_elsewhere(ctx, parameter):
                print(f"{one.setting.flag} {' '.join(one.texts)}: {one.origin}", file=sys.stderr)


def from_elsewhere(ctx: Any, parameter: Any) -> bool:
    """Has this flag its value from the environment or the file?"""
    source = ctx.get_parameter_source(parameter.name)
    return source is not None and source.name == "DEFAULT_MAP"


def faults(root: Any, file: File) -> list[str]:
    """Every fault of the file, for every context, each with its place."""
    sections = [file.settings.everywhere, *file.settings.contexts.values()]
    refused = [
        (value.path, why)
        for section in sections
        for name, value in section.items()
        if (why := fault(root, SETTINGS[name], value.texts))
    ]
    found = [(one.path, one.message) for one in file.faults] + refused
    found.sort(key=lambda one: file.line(one[0]) or 0)
    return [f"{file.place(path)}: {spoken(path)}: {why}" for path, why in found]

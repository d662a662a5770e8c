"""What is offered after which word: the commands, their options and values, read from the parser itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROGRAMS = ("bgpctl", "kubectl-bgp")
HEADER = "completion for bgpctl and kubectl-bgp. Written by `bgpctl completion`; do not edit."

_KINDS = {
    **dict.fromkeys(("PATH", "STATE.yaml", "FILE..."), "file"),
    **dict.fromkeys(("DIR",), "dir"),
    **dict.fromkeys(("NODE", "[NODE]..."), "node"),
    **dict.fromkeys(("PEER", "ADDRESS"), "peer"),
    "NS": "namespace",
    "CONTEXT": "context",
}


@dataclass(frozen=True, slots=True)
class Option:
    """`values`: None for a switch, else the words to offer; `kind` "file" or "dir" where a path is wanted,
    a kind of names (cluster.NAMES) where one of these is."""

    flags: tuple[str, ...]
    help: str
    values: tuple[str, ...] | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One node of the tree. `path` is its words; the root's is empty. Of its arguments `values` are the words
    to offer, and `kind` the kind."""

    path: tuple[str, ...]
    help: str
    children: tuple[Command, ...]
    options: tuple[Option, ...]
    kind: str = ""
    values: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its path as it is typed."""
        return " ".join(self.path)


def tree() -> Command:
    """The command tree as it is now."""
    from bgpctl.cli import app

    return _command(app.tree(), ())


def _command(command: Any, path: tuple[str, ...]) -> Command:
    children = tuple(_command(sub, (*path, name)) for name, sub in getattr(command, "commands", {}).items())
    options = [_option(p) for p in command.params if p.param_type_name == "option"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    help_option = Option(("-h", "--help"), "Show help and exit.", None)
    return Command(
        path,
        _first_sentence(command.help),
        children,
        (*options, help_option),
        "".join(_kind(one.metavar) for one in arguments),
        tuple(word for one in arguments for word in _choices(one)),
    )


def _option(parameter: Any) -> Option:
    flags = tuple(parameter.opts + parameter.secondary_opts)
    if parameter.is_flag or "--dry-run" in parameter.opts:  # what it may have, it has in the same word
        return Option(flags, _first_sentence(parameter.help), None)
    return Option(flags, _first_sentence(parameter.help), _choices(parameter), _kind(parameter.metavar))


def _choices(parameter: Any) -> tuple[str, ...]:
    if parameter.metavar == "SETTING":
        from bgpctl.core.settings import SETTINGS

        return tuple(SETTINGS)
    # those of `parse.listing` are its parser's
    return tuple(getattr(getattr(parameter.type, "func", parameter.type), "choices", ()))


def _kind(metavar: str | None) -> str:
    return _KINDS.get(metavar or "", "")


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def walk(command: Command) -> Iterator[Command]:
    """The command and all below it."""
    yield command
    for child in command.children:
        yield from walk(child)


def fill(template: str, **parts: str) -> str:
    """The template with each `@NAME@` replaced."""
    text = template.replace("@HEADER@", HEADER)
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text

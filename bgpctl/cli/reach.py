"""How the API server is asked: kubectl's --as, --as-group, --request-timeout and --chunk-size, which every
command that asks it has, before the command or behind it. As of kubectl, the help of `bgpctl` alone has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Any

from bgpctl.cli import parse
from bgpctl.errors import UsageError

if TYPE_CHECKING:
    from bgpctl.cli.flags import Given

_META = "bgpctl.cli.reach"
_FLAGS: tuple[tuple[str, str, Any, bool, str], ...] = (
    ("--as", "USER", str, False, "Ask as this user: system:serviceaccount:NAMESPACE:NAME, or a name."),
    ("--as-group", "GROUP", str, True, "Ask as a member of this group. Repeatable."),
    (
        "--request-timeout",
        "DURATION",
        parse.duration,
        False,
        "How long to wait for one answer of the API server; 0 = for ever.  [default: 30s]",
    ),
    (
        "--chunk-size",
        "N",
        parse.chunk,
        False,
        "Ask for lists in pieces of so many objects; 0 = in one piece.  [default: 500]",
    ),
)


def add_flags(root: Any) -> None:
    """To the root, and to every command that takes a --context."""
    for number, command in enumerate(_takers(root)):
        for flag, metavar, kind, several, text in _FLAGS:
            command.params.append(_option(flag, metavar, kind, text, several=several, hidden=number > 0))


def _takers(command: Any) -> Iterator[Any]:
    if any("--context" in parameter.opts for parameter in command.params):
        yield command
    for child in getattr(command, "commands", {}).values():
        yield from _takers(child)


def _option(flag: str, metavar: str, kind: Any, text: str, *, several: bool, hidden: bool) -> Any:
    from typer.core import TyperOption

    return TyperOption(
        param_decls=[flag],
        metavar=metavar,
        type=kind,
        multiple=several,
        default=[] if several else None,
        expose_value=False,
        hidden=hidden,
        callback=_remember,
        help=text,
    )


def _remember(ctx: Any, parameter: Any, value: Any) -> None:
    """The command's own come last, and count."""
    if value is not None and value != () and value != []:
        ctx.meta.setdefault(_META, {})[parameter.opts[0]] = value


def given(ctx: Any, found: Given) -> Given:
    """With what was said of it. Raises UsageError."""
    from dataclasses import replace

    said = ctx.meta.get(_META, {})
    groups = tuple(said.get("--as-group", ()))
    if groups and not said.get("--as"):
        raise UsageError("--as-group says of which group the user of --as is, and there is none", "give --as")
    for flag, name in (("--as", said.get("--as", "-")), *(("--as-group", group) for group in groups)):
        if not (name and name.isascii() and name.isprintable()):
            raise UsageError(f"{flag}: {name!r} is no name that a request can carry", "give it in ASCII")
    patience = said.get("--request-timeout")
    return replace(
        found,
        user=said.get("--as", ""),
        groups=groups,
        patience=inf if patience == 0 else patience,
        chunk=said.get("--chunk-size"),
    )

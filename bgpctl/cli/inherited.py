"""The options of the run before, read as if they had been typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from bgpctl.cli.defaults import from_elsewhere
from bgpctl.cli.flags import asked, text_of
from bgpctl.cli.program import typed
from bgpctl.errors import Blocked, UsageError

if TYPE_CHECKING:
    from bgpctl.runbooks.kept import Options

Built = TypeVar("Built")


def with_inherited(
    ctx: typer.Context,
    node: str,
    options: Options,
    build: Callable[[str, Mapping[str, Any]], Built],
    given: Mapping[str, Any],
) -> Built:
    """What `build` makes of this command's flags (`given`) with those of the journal of the run that it goes
    on with, each read by the same parser as if it had been typed. Raises Blocked for those that it
    refuses."""
    values, refused = dict(given), dict[str, str]()
    for flag, written in options.items():
        try:
            found = _read(ctx, node, flag, written)
            build(node, {**given, **found})
        except UsageError as error:
            refused[flag] = error.message
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            refused[flag] = str(error.format_message()).rstrip(".")
        else:
            values |= found
    if refused:
        why = "; ".join(refused.values())
        hint = "\n".join(_ways(ctx, node, tuple(refused)))
        raise Blocked(f"the options in the journal of node {node} cannot be used: {why}", hint)
    return build(node, values)


def forgotten(ctx: typer.Context, flags: Sequence[str]) -> Mapping[str, Any]:
    """The command's values, where those of these flags that come from the environment or the defaults file
    have their own default again: a run that goes on is the one that was asked for, whatever the file says
    now. The command's own stay as they are: of several nodes the next one may begin."""
    found = [p for p in ctx.command.params if {*p.opts, *p.secondary_opts} & set(flags)]
    ours = [p for p in found if p.name in ctx.params and from_elsewhere(ctx, p)]
    return {**ctx.params, **{p.name or "": p.type_cast_value(ctx, p.default) for p in ours}}


def _read(ctx: typer.Context, node: str, flag: str, given: tuple[str, ...]) -> dict[str, Any]:
    """The values of one flag by their parameters' names. Raises the parser's error."""
    from bgpctl.runbooks import kept

    words = [node, *kept.words({flag: given})]
    with ctx.command.make_context(ctx.info_name, words, parent=ctx.parent) as alone:
        found = set(asked(alone))
        names = [p.name or "" for p in ctx.command.params if {*p.opts, *p.secondary_opts} & found]
        return {name: alone.params[name] for name in names}


def _ways(ctx: typer.Context, node: str, refused: tuple[str, ...]) -> Iterator[str]:
    """What is said now counts more than what was said before: a default that is typed replaces it."""
    from bgpctl.runbooks import kept

    known = {flag: p for p in ctx.command.params for flag in (*p.opts, *p.secondary_opts)}
    if not set(refused) <= set(known):
        yield "another version of bgpctl, or somebody else, wrote them"
    else:
        yield f"give these flags yourself: {' '.join(refused)}"
        defaults = {flag: (text_of(value),) for flag in refused if (value := known[flag].default) is not None}
        if len(defaults) == len(refused):
            yield f"as if they had never been given: {typed().with_words(kept.words(defaults))}"
    yield f"to begin anew, bring the node back first: {typed().other('node', 'restore', node)}"

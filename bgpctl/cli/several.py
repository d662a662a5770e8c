"""Runs on several nodes, one after the other: which are meant, and what stops them (as kubectl drain)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgpctl.cli.flags import node_selector
from bgpctl.cli.program import only, typed
from bgpctl.errors import BgpctlError, Blocked, UsageError
from bgpctl.runbooks.command_line import CommandLine

if TYPE_CHECKING:
    from bgpctl.kube.client import Client

Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)]
Selector = Annotated[str, node_selector("The nodes with these labels, in place of names.")]


def meant(ctx: typer.Context, names: Sequence[str], selector: str) -> None:
    """UsageError where no node is meant, or in two ways: found out before anything is asked."""
    if names and selector:
        raise UsageError("nodes are named, and there is a --selector", "give one of the two")
    if not names and not selector:
        raise UsageError(
            "no node is named", f"name one, or give a --selector; see `{ctx.command_path} --help`"
        )


def chosen(client: Client, names: Sequence[str], selector: str) -> tuple[str, ...]:
    """The nodes that are meant, each once, in the order in which they were named. UsageError where the
    selector selects none, or one of several is not there: found out before the first is touched."""
    from bgpctl.core.reading.documents import name_of
    from bgpctl.kube import paths
    from bgpctl.runbooks.objects import no_such_node

    if selector:
        found = sorted(name_of(node) for node in client.items(paths.NODES, labelSelector=selector))
        if not found:
            raise UsageError(f"no node has the labels {selector}", "see `kubectl get nodes --show-labels`")
        return tuple(found)
    nodes = tuple(dict.fromkeys(names))
    if len(nodes) > 1 and (missing := [name for name in nodes if client.find(paths.node(name)) is None]):
        raise no_such_node(*missing)
    return nodes


def within(nodes: Sequence[str], at_most: int) -> None:
    """UsageError when that many may not be out at once: found out before the first is touched."""
    if len(nodes) > at_most:
        more = typed().with_flags([f"--max-unavailable {len(nodes)}"])
        raise UsageError(
            f"{len(nodes)} nodes would be out of service at once, and --max-unavailable is {at_most}",
            f"name fewer, or, if the rest can carry all of it: {more}",
        )


def one_by_one(ctx: typer.Context, nodes: Sequence[str], run: Callable[[str], int]) -> int:
    """The exit code of the first run that does not end well, else 0; the nodes behind it are not begun, and
    it is said which. What a run tells to type next is about its node alone; what goes on with all names them,
    since a drain changes labels by which they were selected."""
    whole = CommandLine(tuple(_about(ctx, nodes, nodes))) if ctx.params.get("selector") else typed()
    for number, node in enumerate(nodes):
        left = nodes[number + 1 :]
        rest = f"not begun: {', '.join(left)}\nto go on with all: {whole}" if left else ""
        with only(CommandLine(tuple(_about(ctx, (node,), nodes)))):
            try:
                code = run(node)
            except BgpctlError as error:
                raise _of_one(error, node, rest, number > 0 and ctx.params["dry_run"] == "none") from None
            except KeyboardInterrupt:
                _tell(rest)
                raise
        if code:
            _tell(rest)
            return code
    return 0


def _tell(rest: str) -> None:
    if rest:
        print(rest, file=sys.stderr)


def _of_one(error: BgpctlError, node: str, rest: str, changed: bool) -> BgpctlError:
    """What ended a run before it began. `changed`: nodes before this one were changed, so it is no usage
    error any more, whatever is wrong with what was typed of this one."""
    if changed and isinstance(error, UsageError):
        error = Blocked(error.message, error.hint)
    if rest or changed:
        error.message = f"{node}: {error.message.removeprefix(f'{node}: ')}"
        error.hint = "\n".join(filter(None, (error.hint, rest)))
    return error


def takes_next(word: str, option: Any) -> bool:
    """Is the word behind this one its value? --dry-run has one in the same word, or none."""
    return not option.is_flag and word != "--dry-run"


def _about(ctx: Any, these: Sequence[str], nodes: Sequence[str]) -> Iterator[str]:
    """The words that were typed, with these nodes in place of all and of what selected them."""
    options = {flag: one for one in ctx.command.params for flag in (*one.opts, *one.secondary_opts)}
    words, begun = iter(typed().words), False
    for word in words:
        option = options.get(word)
        if option is not None and option.param_type_name == "option" and takes_next(word, option):
            value = next(words, "")
            if option.name != "selector":
                yield from (word, value)
        elif not begun and word == ctx.info_name:
            begun = True
            yield from (word, *these)
        elif not (begun and (word in nodes or word.startswith(("--selector=", "-l")))):
            yield word

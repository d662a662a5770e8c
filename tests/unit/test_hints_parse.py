"""Every command of a hint is one that the program takes, whatever was typed and whatever a journal holds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from bgpctl.cli import drain_flags
from bgpctl.cli.app import app
from bgpctl.cli.inherited import with_inherited
from bgpctl.errors import Blocked
from bgpctl.queries.nodes import NodeReport
from bgpctl.runbooks import advice, kept
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump, load
from bgpctl.runbooks.model import Result
from tests.support.snapshots import NOW, OTHER, journal, running, snapshot
from tests.unit.test_hints import TABLE, told

Options = dict[str, tuple[str, ...]]


def arguments(**values: Any) -> dict[str, Any]:
    """In the place of what a command does."""
    return values


def program() -> Any:
    """The real tree of commands, none of which does anything."""
    tree: Any = typer.main.get_command(app)
    groups = [tree]
    while groups:
        for found in groups.pop().commands.values():
            if hasattr(found, "commands"):
                groups.append(found)
            else:
                found.callback = arguments
    return tree


PROGRAM = program()


def take(command: str) -> None:
    """Parse one command as it would be pasted. Raises what the program would say. A placeholder that a line
    asks to be replaced is no word of ours."""
    words = shlex.split(command.replace(" | grep cilium", ""))
    if words[0] == "kubectl" and words[1] != "bgp":
        return
    rest = words[2:] if words[0] == "kubectl" else words[1:]
    values = PROGRAM.main(rest, prog_name="bgpctl", standalone_mode=False)
    assert isinstance(values, dict), f"{command} is a command"
    flags = [word.partition("=")[0] for word in rest if word.startswith("--")]
    assert not [f for f in flags if f not in kept.REPEATABLE and flags.count(f) > 1], "said once"
    if rest[:2] == ["node", "drain"]:
        drain_flags.options("n1", values)


def take_all(hint: str | Iterable[str]) -> None:
    rows = hint.splitlines() if isinstance(hint, str) else list(hint)
    for row in rows:
        for start in (": bgpctl ", ": kubectl "):
            before, found, command = row.partition(start)
            if found and before:
                take(f"{start[2:]}{command}")


@pytest.mark.parametrize("case", TABLE)
def test_the_hint_of_each_decision_is_taken(case: str) -> None:
    take_all(told(TABLE[case]()))


def values(flag: str) -> st.SearchStrategy[tuple[str, ...]]:
    """What the reader of a journal accepts for a flag, whether or not it means anything."""
    if flag in kept.COMMANDS:
        return st.just(("ssh {node} sudo poweroff",))
    return st.lists(st.from_regex(rf"(?a:{kept.SHAPES[flag]})", fullmatch=True), min_size=1, max_size=2).map(
        tuple
    )


MEANT: Options = {
    "--order": ("withdraw-first",),
    "--settle": ("5",),
    "--grace-period": ("-1",),
    "--deselect-label": ("example.com/bgp=off",),
    "--pod-selector": ("tier in (a,b)",),
    "--peer-profile": ("192.0.2.1=frr", "2001:db8::1=stale:300"),
    "--router-probe": ("bird=/run/b.ctl@192.0.2.1",),
}
switches = [*kept.SWITCHES, *(f"--no-{flag[2:]}" for flag in kept.SWITCHES)]
one = st.sampled_from(list(kept.SHAPES)).flatmap(lambda f: st.tuples(st.just(f), values(f)))
kept_options = st.builds(
    lambda meant, odd, flags: {**{f: MEANT[f] for f in meant}, **dict(odd), **dict.fromkeys(flags, ())},
    st.sets(st.sampled_from(list(MEANT))),
    st.lists(one, max_size=3),
    st.sets(st.sampled_from(switches)),
)
typed_words = st.sampled_from(
    [
        "bgpctl node drain n1",
        "kubectl bgp --context=lab node drain n1 --timeout=3s",
        "bgpctl node drain n1 --order guide --require-confirmed --kubeconfig '/tmp/my files/k' -o json",
        "bgpctl node drain --max-unavailable 2 --settle=5 n1 --force --router-probe frr",
    ]
).map(lambda text: CommandLine(tuple(shlex.split(text))))


@given(kept_options, typed_words, st.sampled_from(["drain", "restore", "restart"]))
@example(
    {"--order": ("guide", "withdraw-first"), "--settle": ("-5",)},
    CommandLine(("bgpctl", "node", "drain", "n1")),
    "drain",
)
def test_what_a_journal_keeps_is_printed_as_it_can_be_typed(
    options: Options, typed: CommandLine, command: str
) -> None:
    written = journal(run="run-b", holder=OTHER, options=options, steps={"Checked": NOW}, command=command)
    record = load({ANNOTATION: dump(written)})
    assert record is not None
    take_all(NodeReport("n1", True, True, running(), record, typed=typed).ways)
    claimed = Claimed("drain", "run-a", asked={"--order": ("other",)}, typed=typed)
    decision = claimed.decide(snapshot(journal=record))
    take_all(decision.hint)
    ended = Result("drain", "n1", "blocked", decision.reason, hint="mend it")
    take_all(advice.completed(ended, record, typed).hint)


@given(kept_options)
@example({"--order": ("guide", "withdraw-first"), "--settle": ("-5",)})
@example({"--peer-profile": ("x",), "--max-unavailable": ("0",)})
@example({"--no-assume-dead": ()})
def test_what_a_journal_keeps_is_taken_or_refused_with_commands_that_are(options: Options) -> None:
    record = load({ANNOTATION: dump(journal(options=options))})
    assert record is not None
    inherited = kept.inherited(record.asked, {})
    node = PROGRAM.commands["node"]
    with pytest.MonkeyPatch.context() as patched, node.commands["drain"].make_context("drain", ["n1"]) as ctx:
        patched.setattr(sys, "argv", ["bgpctl", "node", "drain", "n1"])
        try:
            with_inherited(ctx, "n1", inherited, drain_flags.options, ctx.params)
        except Blocked as error:
            take_all(error.hint)
            assert "to begin anew, bring the node back first: bgpctl node restore n1" in error.hint


def test_a_flag_that_cannot_be_used_is_named_alone() -> None:
    options = {"--order": ("guide",), "--settle": ("-5",)}
    node = PROGRAM.commands["node"]
    with pytest.MonkeyPatch.context() as patched, node.commands["drain"].make_context("drain", ["n1"]) as ctx:
        patched.setattr(sys, "argv", ["bgpctl", "node", "drain", "n1", "--force"])
        with pytest.raises(Blocked) as caught:
            with_inherited(ctx, "n1", options, drain_flags.options, ctx.params)
    assert caught.value.hint.splitlines() == [
        "give these flags yourself: --settle",
        "as if they had never been given: bgpctl node drain n1 --force --settle 2",
        "to begin anew, bring the node back first: bgpctl node restore n1",
    ]


def test_the_hint_says_what_to_type_and_not_what_it_means() -> None:
    """Whether a line is added is decided by what the hint tells, not by a word in it."""
    record = replace(journal(), steps={"Checked": NOW})
    words = "nothing was changed by `node drain`; --take-over would not help, again"
    ended = Result("drain", "n1", "blocked", "--require-confirmed waits", hint=words)
    rows = advice.completed(ended, record, CommandLine(("bgpctl", "node", "drain", "n1"))).hint.splitlines()
    assert rows == [
        "do not power off n1: routers may still send it traffic",
        words,
        "to go on: bgpctl node drain n1",
        "to undo it: bgpctl node restore n1",
    ]

"""Two drains that meet at their checks: in every order of their looks and writes one passes, and only one,
and whoever gives way leaves no trace."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bgpctl.core.drain.guards import out_of_service
from bgpctl.core.drain.lever import Lever
from bgpctl.runbooks import cluster
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump
from bgpctl.runbooks.model import Decision, Status
from tests.support.snapshots import LABEL, NOW, journal, node, snapshot

BEGUN = journal(steps={"Checked": NOW})
GARBAGE = "{"


def document(name: str, record: Journal | str | None) -> dict[str, Any]:
    text = dump(record) if isinstance(record, Journal) else record
    annotations = {ANNOTATION: text} if text else {}
    return {"metadata": {"name": name, "uid": f"uid-{name}", "annotations": annotations}}


EARLY, LATE = journal(started_at=NOW - 9), journal(started_at=NOW - 1)


@pytest.mark.parametrize(
    ("theirs", "ours", "word"),
    [
        (None, None, ""),
        (None, EARLY, ""),
        (EARLY, None, "out"),  # we have written nothing yet: it goes first
        (BEGUN, None, "out"),
        (BEGUN, LATE, "out"),
        (EARLY, LATE, "out"),  # the later gives way
        (journal(started_at=NOW - 1, steps={"Checked": NOW}), EARLY, "out"),  # it has passed already
        (LATE, EARLY, "deciding"),  # the earlier waits for that
        (EARLY, EARLY, "deciding"),  # at the same instant: by the names n1 and n2
        (EARLY, BEGUN, ""),  # ours has passed: the other has to see to it
        (BEGUN, BEGUN, "out"),
        (GARBAGE, EARLY, "out"),
        (EARLY, GARBAGE, "out"),
    ],
)
def test_who_is_away(theirs: Any, ours: Any, word: str) -> None:
    assert cluster._away(document("n2", theirs), document("n1", ours)) == word


def test_at_the_same_instant_the_name_decides() -> None:
    assert cluster._away(document("n1", EARLY), document("n2", EARLY)) == "out"
    assert cluster._away(document("n2", EARLY), document("n1", EARLY)) == "deciding"


def test_a_node_is_not_its_own_rival() -> None:
    assert cluster._away(document("n1", BEGUN), document("n1", BEGUN)) == ""


# --- every order --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drain:
    """One of the two: its journal as it stands on its Node, and what it has decided and not written yet."""

    name: str
    started_at: float
    record: Journal | None = None
    pending: Decision | None = None
    ended: str = ""  # "passed" or "gave way"

    def look(self, other: Drain) -> Drain:
        ours, theirs = document(self.name, self.record), document(other.name, other.record)
        word = cluster._away(theirs, ours)
        guard = out_of_service(
            self.name, [other.name] if word == "out" else [], 1, [other.name] if word == "deciding" else []
        )
        seen = snapshot(
            now=self.started_at,
            node=node(name=self.name),
            journal=self.record,
            guards=(guard,),
            lever=Lever(("rack",), LABEL),
        )
        return replace(self, pending=Checked(f"run-{self.name}", "guide").decide(seen))

    def act(self) -> Drain:
        """Write what was decided: by now it may be an old decision."""
        decision, free = self.pending, replace(self, pending=None)
        assert decision is not None
        for action in decision.actions:
            assert isinstance(action, ChangeNode)
            free = replace(free, record=None if action.forget else action.journal)
        match decision.status:
            case Status.DONE:
                assert free.record is not None
                return replace(free, record=free.record.with_step("Checked", NOW, {}), ended="passed")
            case Status.BLOCKED:
                return replace(free, ended="gave way")
        return free

    def moves(self, other: Drain) -> Drain:
        return self.look(other) if self.pending is None else self.act()


@pytest.mark.parametrize("starts", [(NOW, NOW), (NOW, NOW + 1), (NOW + 1, NOW)])
def test_at_most_one_of_two_passes_and_not_none(starts: tuple[float, float]) -> None:
    first = (Drain("n1", starts[0]), Drain("n2", starts[1]))
    seen, left, endings = {_key(first)}, [first], set()
    while left:
        pair = left.pop()
        nexts = [
            tuple(one.moves(pair[1 - i]) if i == who else one for i, one in enumerate(pair))
            for who in (0, 1)
            if not pair[who].ended
        ]
        if not nexts:
            endings.add((pair[0].ended, pair[1].ended))
            assert all(one.record is None for one in pair if one.ended == "gave way"), "it left a trace"
        for after in nexts:
            if _key(after) not in seen:
                seen.add(_key(after))
                left.append(after)  # type: ignore[arg-type]
    assert endings <= {("passed", "gave way"), ("gave way", "passed")}
    assert endings


def _key(pair: Any) -> str:
    return repr(pair)


def test_inverse_without_the_second_look_both_would_pass() -> None:
    """The harness notices: drains that go on by their first look meet, and neither sees the other."""
    both = [Drain("n1", NOW), Drain("n2", NOW)]
    looked = [one.look(other) for one, other in itertools.permutations(both)]
    assert [one.pending.status for one in looked if one.pending] == [Status.ACT, Status.ACT]

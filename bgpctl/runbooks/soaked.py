"""Before a node is told to leave, its routes are announced with GRACEFUL_SHUTDOWN (RFC 8326) for a while,
where that is asked for. bgpctl's own speaker does it by itself when it leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgpctl.core.timing.soak import READ_SECONDS
from bgpctl.runbooks.actions import Action, ChangeNode, PatchObject
from bgpctl.runbooks.drain_steps import DESELECTED, RELABELLED, fence, only
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.snapshot import Snapshot

SOAKING = "Soaking"  # the look that saw the node told to announce with the community
FLAG = "--soak"


@dataclass(frozen=True, slots=True)
class Soaked(Goal):
    """Routers that listen have moved traffic away. When the community was on the wire nobody tells: it gets
    the time that routers have to read it, and then `seconds`."""

    seconds: float
    name = "Soaked"
    title = "traffic moves away"
    needs = only("policies")

    def preview(self, s: Snapshot) -> str:
        if s.lever.unsoaked or not (s.lever.soak or s.lever.soaks):
            return ""
        return f"announce with GRACEFUL_SHUTDOWN (RFC 8326) for {self.seconds:g} s"

    def decide(self, s: Snapshot) -> Decision:
        journal = s.journal
        assert journal is not None, "Checked comes first"
        if begun(journal) or not s.lever.policies:
            late = "" if SOAKING in journal.marks else "too late for a soak: "
            return Decision(Status.DONE, f"{late}the node was told to leave")
        if s.unfenced:
            return fence(s)
        if s.lever.soak:
            return self._tell(s, journal)
        if not s.lever.soaks:
            return Decision(Status.BLOCKED, s.lever.unsoaked or UNKNOWN)
        if SOAKING not in journal.marks:
            noted = journal.with_mark(SOAKING, s.now)
            return Decision(Status.ACT, "note the time", (ChangeNode("note the time", journal=noted),))
        ends = journal.marks[SOAKING] + READ_SECONDS + self.seconds
        if s.now < ends:
            text = f"traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), {ends - s.now:.0f} s left"
            return Decision(Status.WAIT, text, recheck=min(1.0, ends - s.now), eta=ends)
        return Decision(Status.DONE, f"announced with GRACEFUL_SHUTDOWN for {self.seconds:g} s")

    def _tell(self, s: Snapshot, journal: Journal) -> Decision:
        told = ", ".join(patch.what for patch in s.lever.soak)
        void = {mark: at for mark, at in journal.marks.items() if mark != SOAKING}
        again: tuple[Action, ...] = ()
        if SOAKING in journal.marks:  # somebody took it back: what was waited counts no more
            again = (ChangeNode("begin anew", journal=replace(journal, marks=void)),)
        return Decision(Status.ACT, told, (*again, *map(PatchObject, s.lever.soak)))


UNKNOWN = "its BGP stack has no way to it that bgpctl knows"


def begun(journal: Journal) -> bool:
    """Was the node told to leave?"""
    return RELABELLED in journal.marks or journal.finished(DESELECTED)


def cannot(s: Snapshot) -> str:
    """Why no soak is possible before the drain, "" = it is, or the time for it has passed."""
    if not s.lever.policies or s.lever.refusal or s.lever.soak or s.lever.soaks:
        return ""  # or the drain is refused for more than that
    if s.journal and begun(s.journal):
        return ""
    why = s.lever.unsoaked or UNKNOWN
    return f"{s.node.name} cannot announce with GRACEFUL_SHUTDOWN (RFC 8326) before it leaves: {why}"

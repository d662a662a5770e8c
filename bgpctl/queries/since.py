"""What became of a node since its drain took it out: the journal of a drain is no word about now. Pure.

The speaker's state and the Node are enough (a look-up of the policies for each node would cost too much), and
whatever they leave open is no "drained".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.core.model import SessionState
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import UNTOLD, NodeState
from bgpctl.runbooks.drain_steps import plural
from bgpctl.runbooks.journal import Journal

GONE = ("Withdrawn", "Idle", "Stopped", "Waiting")
ANNOUNCES, UNCORDONED, UNKNOWN = "announces-again", "uncordoned", "unknown"
WHOLE_SECONDS = 1.0  # the API server's instants have no fraction


@dataclass(frozen=True, slots=True)
class Since:
    """`word` is announces-again, uncordoned or unknown; `told` says why, after "do not power off NODE: "."""

    word: str
    told: str


def taken_back(journal: Journal, labels: Mapping[str, str], leave: str) -> str:
    """What the Node itself tells of its drain's request having been taken back, "" = it stands. `leave`: its
    annotation. Its speaker may have obeyed already, and not be able to say so."""
    key, value = journal.deselect or ("", None)
    if key and labels.get(key) != value:
        return f"its label {key}={value or ''} was taken back after the drain"
    if journal.leaves and leave != journal.leave:
        return f"its annotation {LEAVE} is not the drain's any more"
    return ""


def since(
    journal: Journal, state: NodeState | None, cordoned: bool, now: float, back: str = ""
) -> Since | None:
    """What is otherwise than the drain left it; None = nothing, or it did not come so far. `now` is epoch
    seconds by the API server's clock, `back` is `taken_back`."""
    looked = journal.steps.get("ShutDown", journal.steps.get("Withdrawn"))
    if journal.command != "drain" or looked is None:
        return None
    seen = _speaker(state, looked, now) if state else None
    if back and (seen is None or seen.word == UNKNOWN):
        seen = Since(UNKNOWN, f"{back}, and its speaker may announce its routes again")
    open_again = "" if cordoned else "it was uncordoned meanwhile: pods may run there"
    if seen and open_again:
        return Since(seen.word, f"{seen.told}; {open_again}")
    return seen or (Since(UNCORDONED, open_again) if open_again else None)


def _speaker(state: NodeState, looked: float, now: float) -> Since | None:
    """Where its speaker says otherwise. `looked`: when the drain last looked at it. What a speaker said
    before that and has not changed since was in that look."""
    if state.told_out:
        return None
    if state.unreadable:
        return Since(UNKNOWN, "what its speaker says now cannot be read")
    silent = state.stale(now) or state.phase in ("Withdrawn", "Stopped")
    if silent and state.last_seen + WHOLE_SECONDS <= looked:
        return None
    serves = state.phase not in (UNTOLD, *GONE) or bool(state.selected_by or state.peers)
    if not serves:
        return _left_open(state, looked)
    if silent:
        return Since(UNKNOWN, "its speaker was selected again after the drain, and its word is not of now")
    if state.phase == "Starting" and not (state.selected_by or state.peers):
        return Since(UNKNOWN, "its speaker is starting: what it will announce is not known yet")
    sessions = f"{state.established} {plural(state.established, 'session')}"
    if state.announced is None and state.established:
        return Since(ANNOUNCES, f"its sessions are up again ({sessions})")
    if not state.sessions_told:
        policy = f"{state.selected_by_kind} {state.selected_by}"
        return Since(UNKNOWN, f"{policy} selects it, and whether its sessions are up nobody tells")
    if state.announced is None:
        return _untold(state)
    routes = f"{state.announced} {plural(state.announced, 'route')}"
    return Since(ANNOUNCES, f"it announces again ({routes}, {sessions})")


def _untold(state: NodeState) -> Since | None:
    """No session of it is up as far as is told, and nobody counts its routes."""
    told = all(peer.session.state is not SessionState.UNKNOWN for peer in state.peers)
    if told and not state.selected_by:
        return None
    who = f" by {state.selected_by}" if state.selected_by else ""
    return Since(UNKNOWN, f"it is to speak BGP again{who}, and whether it announces nobody tells")


def _left_open(state: NodeState, looked: float) -> Since | None:
    """One that was started since, and finds that the one before it ended without a withdraw."""
    if state.unproved and state.by_server(state.started_at) > looked:
        return Since(UNKNOWN, "a speaker that ran after the drain ended without a withdraw")
    return None

"""The goals of bringing a node back: up, selected, Established, announced, uncordoned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bgpctl.core.drain.deselection import not_ours
from bgpctl.core.drain.lever import Effect, shown
from bgpctl.core.model import SessionState
from bgpctl.core.state import UNTOLD, NodeState, PeerState
from bgpctl.runbooks.actions import ChangeNode, PatchObject
from bgpctl.runbooks.drain_steps import fence, only
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.peers import Names, endpoint, names
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.witness.model import RouteState

RESELECTED = "Reselected"
UNSELECTED = "no policy selects it"
NOTHING = Decision(Status.DONE, "nothing to do")
SENT = "SawAnnounced"
BY_HAND = (
    "the journal is an annotation, which others may write too: if it is right in this, bring the policy back "
    "that selects nodes by it, or set the label by hand, and run this again; what is as the journal says is "
    "not changed"
)
UNTOLD_SESSIONS = "ask its router, which knows whether it is up: --router-probe KIND=TARGET@PEER"
NEVER_TOLD = "whether its sessions are up its BGP stack never tells"
ROUTER_PATIENCE = 10.0  # seconds for a router to take the routes in; one that filters never has them all


@dataclass(frozen=True, slots=True)
class Up(Goal):
    """The node is Ready and its speaker reports: an address announced before that attracts traffic that
    nobody serves (cilium.md §6, #17547)."""

    name = "Up"
    title = "node and speaker up"
    needs = only("state")

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is None:
            return NOTHING
        if not s.node.ready:
            return Decision(Status.WAIT, "the node is not Ready", recheck=1.0)
        if s.state is None or s.state.stale(s.now) or s.state.phase == "Stopped":
            return Decision(Status.WAIT, "the node is Ready, its speaker does not report yet", recheck=0.5)
        if s.state.waits:
            return Decision(Status.WAIT, f"its speaker {s.state.waits}", recheck=0.5)
        return Decision(Status.DONE, "node Ready, speaker reporting")


@dataclass(frozen=True, slots=True)
class Selected(Goal):
    """The labels, and whatever else made the node leave, are what they were before the drain."""

    name = "Selected"
    title = "BGP told to come back"
    needs = only("policies")

    def decide(self, s: Snapshot) -> Decision:
        patches = tuple(PatchObject(patch) for patch in s.lever.back)
        if s.journal is None:
            return Decision(Status.ACT, _back(s), patches) if patches else NOTHING
        if s.unfenced:
            return fence(s)
        prior = s.journal.prior_labels
        wrong = {key: value for key, value in prior.items() if s.node.labels.get(key) != value}
        if not wrong and not patches:
            return Decision(Status.DONE, ", ".join(map(shown, prior.items())) or _unlabelled(s.journal))
        if strange := not_ours(wrong, s.lever.keys):
            text = f"the journal on the Node asks for what no drain would change now: {strange}"
            return Decision(Status.BLOCKED, text, hint=BY_HAND)
        text = ", ".join(filter(None, (*map(shown, wrong.items()), _back(s))))
        change = ChangeNode(text, labels=wrong, journal=s.journal.with_mark(RESELECTED, s.now))
        return Decision(Status.ACT, text, (change, *patches))


@dataclass(frozen=True, slots=True)
class Established(Goal):
    """Every session of the node is Established, and the speaker runs the policy again. After a `restart` that
    is every session which was Established before it."""

    restart: bool = False
    name = "Established"
    title = "sessions up"

    @property
    def needs(self) -> frozenset[str]:
        return only("state", "policies", *(() if self.restart else ("routers",)))

    def preview(self, s: Snapshot) -> str:
        return "until every session is Established" if _comes_back(s, self.restart) else ""

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is None:
            return Decision(Status.DONE, by_hand(s)) if by_hand(s) else NOTHING
        if not s.lever.policies and not s.journal.takes_out and not self.restart:
            return Decision(Status.DONE, f"no label was changed; {UNSELECTED}, so it announces nothing")
        if not s.lever.policies:
            labels = ", ".join(map(shown, s.journal.prior_labels.items()))
            although = f", though it is labelled as before ({labels})" if labels else ""
            return Decision(
                Status.BLOCKED,
                f"no policy selects the node{although}",
                hint="it stays cordoned; running this again goes on when a CiliumBGPPeeringPolicy selects it",
            )
        state = s.state
        if state is None or state.phase not in (UNTOLD, "Running", "Starting") or not state.peers:
            said = state.phase.lower() or "without a peer" if state else "silent"
            text = f"waiting for the speaker (now {said}){_unread(state)}"
            return Decision(Status.WAIT, text, recheck=0.2)
        by_router = _by_router(s, state)
        if s.now < (current := _current(s, state)) and len(by_router) < len(state.peers):
            text = "the last report of its sessions may be older than the restore"
            return Decision(Status.WAIT, text, recheck=0.5, eta=current, hint=UNTOLD_SESSIONS)
        if not state.sessions_told and len(by_router) < len(state.peers):
            return Decision(Status.DONE, NEVER_TOLD)
        expected = _before(s) if self.restart else state.peers
        missing = [p for p in expected if not p.session.established and p not in by_router]
        if missing:
            text = ", ".join(f"the session to {p.address} is {_word(p.session.state)}" for p in missing)
            text += _unread(state)
            unknown = any(p.session.state is SessionState.UNKNOWN for p in missing)
            return Decision(Status.WAIT, text, recheck=0.2, hint=UNTOLD_SESSIONS if unknown else "")
        up = sum(peer.session.established or peer in by_router for peer in state.peers)
        return Decision(Status.DONE, f"{up}/{len(state.peers)} sessions Established{_whose(by_router)}")


@dataclass(frozen=True, slots=True)
class Announced(Goal):
    """Every intended route is on the wire and, where a router can be asked, on the router: at least one, and
    all of them unless it filters. After a `restart`: to the peers that had them before it."""

    restart: bool = False
    name = "Announced"
    title = "routes back"
    needs = only("state", "routers")

    def preview(self, s: Snapshot) -> str:
        if not _comes_back(s, self.restart):
            return ""
        routers = ", ".join(sorted(a.answer.router for a in s.answers)) or "no router is asked"
        return f"until every route is sent ({routers})"

    def decide(self, s: Snapshot) -> Decision:
        if not _comes_back(s, self.restart):
            return NOTHING
        state = s.state
        if state is None or state.phase not in (UNTOLD, "Running"):
            return Decision(Status.WAIT, "waiting for the first full set of routes", recheck=0.2)
        late = [p for p in (_before(s) if self.restart else state.peers) if not _sent(p)]
        if late:
            return Decision(Status.WAIT, ", ".join(_progress(p) for p in late), recheck=0.2)
        called = names(state, s.journal)
        told = [a for a in s.answers if a.answer.routes is not RouteState.UNKNOWN]
        counted = s.now >= _current(s, state)
        missing = [a for a in told if _fewer(a, state, called, counted=counted)]
        number = state.announced if counted else None
        if number is None and told:  # nobody counts them: the routers do
            number = max(map(_live, told))
        return self._await(s, missing, number) if missing else self._done(s, state, number)

    def _await(self, s: Snapshot, missing: Sequence[PeerAnswer], announced: int | None) -> Decision:
        """The speaker has sent them all, and these routers do not have them all."""
        assert s.journal is not None
        text = f"{_routes(announced)} sent; " + "; ".join(
            f"{a.answer.router} has {_live(a)} of them" for a in missing
        )
        text += _unread(s.state)
        sent = s.journal.marks.get(SENT)
        if sent is None:
            write = ChangeNode("note the time", journal=s.journal.with_mark(SENT, s.now))
            return Decision(Status.ACT, text, (write,), recheck=0.1)
        if s.now < sent + ROUTER_PATIENCE or not all(_live(a) for a in missing):
            return Decision(Status.WAIT, text, recheck=0.2)
        evidence = {"proof": "", "routes": announced or 0}
        return Decision(Status.DONE, f"{text}: it may filter the others", evidence=evidence)

    def _done(self, s: Snapshot, state: NodeState, announced: int | None) -> Decision:
        routers = sorted({a.answer.router for a in s.answers if a.answer.routes is RouteState.PRESENT})
        if routers:
            proof = {"proof": "confirmed", "by": ", ".join(routers), "routes": announced or 0}
            text = f"{_routes(announced)}, confirmed by {', '.join(routers)}"
            return Decision(Status.DONE, text, evidence=proof)
        silent = [f"{a.answer.router} did not answer: {a.answer.detail}" for a in s.answers]
        unasked = "; ".join(silent) or "no router was asked"
        text = f"{_routes(announced)} sent; {unasked}"
        if not state.sessions_told:
            text = f"whether its routes are back nobody tells; {unasked}"
        return Decision(Status.DONE, text, evidence={"proof": "", "routes": announced or 0})


@dataclass(frozen=True, slots=True)
class Uncordoned(Goal):
    """The node may get pods again, unless it was cordoned before the drain: an admin's cordon stays. The
    journal goes in the same patch: after it, bgpctl has no hand in this node."""

    name = "Uncordoned"
    title = "pods welcome"
    needs = only()

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is None:
            return Decision(Status.DONE, "cordoned" if s.node.unschedulable else "schedulable")
        prior = s.journal.prior_unschedulable
        text = "stays cordoned, as before the drain" if prior else "uncordon"
        return Decision(Status.ACT, text, (ChangeNode(text, unschedulable=prior, forget=True),))


def _current(s: Snapshot, state: NodeState) -> float:
    """From when on what the node's stack told last is of after the node was told to come back."""
    return (s.journal.since(RESELECTED) if s.journal else 0.0) + (state.lag or 0.0)


def _stay_up(s: Snapshot, state: NodeState) -> bool:
    """Did nobody tell the node's sessions to end? Else a router may be just about to see the end of one."""
    return s.lever.effect is Effect.WITHDRAWS and state.sessions_told


def _by_router(s: Snapshot, state: NodeState) -> Sequence[PeerState]:
    """The peers whose session is up by their router's word: of which nobody on the node tells, or tells late.
    A router that has live routes of the node over it is of now, and goes before what somebody wrote down."""
    called = names(state, s.journal)
    up = {one.peer for one in s.answers if one.answer.session == "established"}
    live = {one.peer for one in s.answers if one.peer in up and one.answer.routes is RouteState.PRESENT}
    current, late = s.now >= _current(s, state), bool(state.lag) and _stay_up(s, state)

    def told(peer: PeerState) -> bool:
        router, unknown = called[endpoint(peer)], peer.session.state is SessionState.UNKNOWN
        return (router in up and unknown and current) or (router in live and late)

    return [peer for peer in state.peers if told(peer)]


def _unread(state: NodeState | None) -> str:
    """What nobody can read, for which a stack may keep an older configuration of the whole node."""
    return "".join(f"; {one}" for one in state.unread) if state else ""


def _word(state: SessionState) -> str:
    """As RFC 4271 spells those of two words."""
    return {"open_sent": "OpenSent", "open_confirm": "OpenConfirm"}.get(state, state)


def _whose(by_router: Sequence[PeerState]) -> str:
    return f" ({len(by_router)} by the router's word)" if by_router else ""


def by_hand(s: Snapshot) -> str:
    """How somebody else's hand is undone: what to type when bgpctl has no part in it, "" = nothing."""
    name, told = s.node.name, []
    if s.node.unschedulable:
        told.append(f"it is cordoned: `kubectl uncordon {name}`")
    if not s.lever.policies:
        labels = ", ".join(
            f"`kubectl label node {name} {key}={value} --overwrite`" for key, value in s.lever.ways_in
        )
        told.append(f"{UNSELECTED}{f': {labels}' if labels else ''}")
    return "; ".join(told)


def _back(s: Snapshot) -> str:
    """What has to be patched for the node to be as before."""
    return ", ".join(patch.what for patch in s.lever.back)


def _comes_back(s: Snapshot, restart: bool) -> bool:
    """Did its sessions end, or will they, by our hand? Or was it out before, and somebody selected it since:
    pods come back to no node whose sessions are not up."""
    selected = bool(s.lever.policies or (s.state and s.state.peers))
    return s.journal is not None and (restart or s.journal.takes_out or selected)


def _before(s: Snapshot) -> Sequence[PeerState]:
    """The peers that were Established before the restart; one that was down then holds nothing up."""
    assert s.journal is not None and s.state is not None
    return [peer for peer in s.state.peers if peer.address in s.journal.peers]


def _unlabelled(journal: Journal) -> str:
    return "as before the drain" if journal.prior else "no label was changed"


def _routes(count: int | None) -> str:
    return "routes (how many is not known)" if count is None else f"{count} routes"


def _sent(peer: PeerState) -> bool:
    """Did this peer get what it should get, by all that is known of it?"""
    late = peer.announced is not None and peer.intended is not None and peer.announced < peer.intended
    return not late and not peer.session.pending and peer.session.end_of_rib is not False


def _progress(peer: PeerState) -> str:
    ending = ", End-of-RIB not sent yet" if peer.session.end_of_rib is False else ""
    return f"{peer.announced} of {peer.intended} routes announced to {peer.address}{ending}"


def _fewer(answer: PeerAnswer, state: NodeState, called: Names, *, counted: bool) -> bool:
    """Does this router miss routes that the speaker sent it? Where nobody tells how many those are, or not
    yet (`counted` False), one has to be there."""
    sent = next((p.announced for p in state.peers if called[endpoint(p)] == answer.peer), 0)
    sent = sent if counted else None
    return _live(answer) < (1 if sent is None else sent)


def _live(answer: PeerAnswer) -> int:
    return sum(not path.stale for path in answer.answer.paths)

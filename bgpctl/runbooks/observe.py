"""Look at the world: fill in the parts of a Snapshot that a step needs. Reads only, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bgpctl import providers
from bgpctl.core.drain.eviction import EvictionOptions, PodVerdict, verdicts
from bgpctl.core.drain.lever import Lever
from bgpctl.core.model import Session, SessionState
from bgpctl.core.reading.documents import name_of, namespace_of
from bgpctl.core.state import UNTOLD, NodeState, PeerState, others
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.profiles import Profile
from bgpctl.core.timing.withdrawal import Close, Estimate, Event, estimate, facts_from_state
from bgpctl.errors import Blocked, Tells
from bgpctl.kube import lease, paths
from bgpctl.kube.client import NotFound
from bgpctl.kube.lease import LeaseView
from bgpctl.ports import Provider
from bgpctl.runbooks import cluster, objects
from bgpctl.runbooks.hold import Document, Hold
from bgpctl.runbooks.journal import ANNOTATION, Journal, load
from bgpctl.runbooks.peers import Endpoint, endpoint, names, parse, still
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import Snapshot

MAY_ANNOUNCE = ("Starting", "Running", "Stopped")
OLD_ONE = frozenset((Tells.GO_ON, Tells.BACK))
"""A Node that is no more is not drained any further, and not brought back."""


@dataclass(slots=True)
class Observer:
    """One run's eyes: what it looks at, and by which options of the user."""

    hold: Hold
    provider: Provider
    eviction: EvictionOptions
    routers: Routers
    profile_of: Callable[[str], Profile]
    deselect_override: str | None
    lifted: frozenset[str]
    max_unavailable: int
    after: tuple[str, ...] = ()
    _first_lease: LeaseView | None = None
    _watching_since: float | None = None
    _uid: str = ""
    _others: tuple[str, ...] = ()

    def look(self, needs: frozenset[str], **hands: Any) -> Snapshot:
        """The Node and its Lease always; the rest as the step needs it. `hands`: what is known of the run
        itself, as parts of the Snapshot."""
        hold = self.hold
        began = hold.clock.now()
        document = hold.document = self._read_node()
        journal = load(document["metadata"].get("annotations"), hold.node)
        lost = self._lost(journal)
        if journal is not None:
            hold.remember(journal)
        now = hold.clock.now()
        node = objects.node(document, hold.node)
        parts: dict[str, Any] = self._lease()
        lost = lost or self._copied(parts.get("lease"), journal)
        prior = journal or lost
        if needs & {"state", "estimates", "routers"}:
            parts["state"] = with_vanished(self.provider.state(hold.node), journal)
        if "cluster" in needs:
            found = cluster.look(
                hold.client,
                self.provider,
                document,
                prior,
                self.deselect_override,
                self.lifted,
                self.max_unavailable,
                now,
                self.after,
            )
            parts |= {"guards": found.guards, "lever": found.lever}
            self._others = found.others
        elif "policies" in needs:
            parts["lever"] = self.provider.lever(document, prior.prior if prior else {})
        if parts.get("lever") and "state" in needs:
            parts["configured"] = self._configured(parts["state"], parts["lever"], document)
        if "pods" in needs:
            parts["pods"] = self._pods(now)
        if "budgets" in needs:
            parts["budgets"] = cluster.budgets(hold.client)
        state: NodeState | None = parts.get("state")
        if "estimates" in needs:
            parts |= self._estimates(state, parts.get("lever") or Lever(), journal, document)
        if "routers" in needs:
            parts["answers"] = self.routers.look(state, journal, hold.clock.now, node.addresses)
        return Snapshot(
            now=hold.clock.now(),
            began=began,
            clock=hold.clock.name,
            node=node,
            journal=journal,
            lost=lost,
            holder=hold.holder,
            released=hold.released,
            provider=self.provider.name,
            others=self._others,
            **parts,
            **hands,
        )

    def _configured(self, state: NodeState | None, lever: Lever, document: Document) -> tuple[Endpoint, ...]:
        """Who is a peer by the policies that select the node: a speaker that is killed before it tells of one
        may have announced to it, also where the next one is only starting. Other stacks tell of no more than
        the same objects do."""
        if not lever.policies or state is None or state.phase not in MAY_ANNOUNCE:
            return ()
        if state.phase == "Running" and not state.peers:
            return ()
        return tuple((fact.address, fact.port) for fact in self.provider.facts(document))

    def _read_node(self) -> Document:
        try:
            document = self.hold.client.get(paths.node(self.hold.node))
        except NotFound:
            if self._uid:
                raise Blocked(
                    f"node {self.hold.node} was deleted meanwhile",
                    providers.left_behind(self.provider.name),
                    tells=OLD_ONE,
                ) from None
            raise objects.no_such_node(self.hold.node) from None
        uid = objects.uid_of(document)
        if self._uid and uid != self._uid:
            raise Blocked(
                f"node {self.hold.node} was deleted and made anew meanwhile: this run is not about it",
                f"do not power off {self.hold.node}: the new one may be in service\n"
                f"to see what the new one is: bgpctl node status {self.hold.node}",
                tells=OLD_ONE | {Tells.SAFE},
            )
        self._uid = uid
        return document

    def _lost(self, journal: Journal | None) -> Journal | None:
        """The journal that this run wrote and somebody else removed: another run that has ended, or a hand.
        Raises Blocked for the first."""
        hold = self.hold
        if journal is not None or hold.journal is None:
            return None
        if hold.lock and not hold.released:
            try:
                hold.lock.confirm()
            except Blocked as error:
                raise hold.lost(error) from None
        return hold.journal

    def _copied(self, seen: LeaseView | None, journal: Journal | None) -> Journal | None:
        """The copy in the Lease, where the Node has no journal any more. One that cannot be read is none."""
        lock = self.hold.lock
        text = lock.copy if lock else (seen.copy_of(self.hold.document["metadata"]["uid"]) if seen else "")
        if journal is not None:
            return None
        try:
            return load({ANNOTATION: text})
        except Blocked:
            return None

    def _lease(self) -> dict[str, Any]:
        hold = self.hold
        if hold.lock and not hold.lock.lost.is_set():
            return {"holds_lease": True}
        view = lease.read(hold.client, hold.node)
        if hold.lock:
            raise hold.lost(lease.lost(hold.node, view))
        hold.seen_lease = view
        now = hold.clock.monotonic()
        if self._watching_since is None:
            self._first_lease, self._watching_since = view, now
        first = self._first_lease
        contested = bool(view and first and view.renewed_at != first.renewed_at)
        return {"lease": view, "lease_contested": contested, "lease_watched": now - self._watching_since}

    def _pods(self, now: float) -> tuple[PodVerdict, ...]:
        client, query = self.hold.client, {"fieldSelector": f"spec.nodeName={self.hold.node}"}
        if self.eviction.pod_selector:
            query["labelSelector"] = self.eviction.pod_selector
        pods = objects.pods(client.items(paths.PODS, **query))
        daemonsets = (
            self._daemonsets() if any(p.controller_kind == "DaemonSet" for p in pods) else frozenset()
        )
        return verdicts(pods, daemonsets, self.eviction, now)

    def _daemonsets(self) -> frozenset[tuple[str, str]]:
        items = self.hold.client.items(paths.DAEMONSETS)
        return frozenset((namespace_of(d), name_of(d)) for d in items)

    def _estimates(
        self, state: NodeState | None, lever: Lever, journal: Journal | None, document: Document
    ) -> dict[str, tuple[Estimate, ...]]:
        facts = tuple(facts_from_state(peer) for peer in known_peers(state))
        more = self._untold(facts, state, journal, document)
        facts, untold = (*facts, *more), frozenset(fact.address for fact in more)
        dead = facts or cluster.policy_facts(self.provider, document, journal)
        # Who tells of sessions only forgets a peer with its session.
        told = facts or (dead if state is not None and state.phase == UNTOLD else ())
        unread, close = never_read(state) | untold, lever.close
        return {
            "estimates": tuple(self._estimate(leaving(f.address, unread), f, close) for f in told),
            "dead_estimates": tuple(self._estimate(ENDED, fact) for fact in dead),
        }

    def _untold(
        self,
        facts: Sequence[PeerFacts],
        state: NodeState | None,
        journal: Journal | None,
        document: Document,
    ) -> tuple[PeerFacts, ...]:
        """The peers that policies gave the node before it was told to leave, and no speaker tells of: one
        that was killed may have announced to them, and that it withdrew nobody knows."""
        if state is None or state.phase == UNTOLD or journal is None or not facts:
            return ()
        told = {fact.address for fact in facts}
        if not (missing := {parse(name)[0] for name in journal.peers} - told):
            return ()
        found = cluster.policy_facts(self.provider, document, journal)
        return tuple(fact for fact in found if fact.address in missing)

    def _estimate(self, events: Sequence[Event], fact: PeerFacts, close: Close | None = None) -> Estimate:
        """The worst of what may have happened to the session. `close`: how its owner ends it on purpose."""
        profile = self.profile_of(fact.address)
        found = (estimate(event, fact, profile, close=close) for event in events)
        return max(found, key=lambda one: one.worst)


# A session that ended without a withdraw: whether the node fell silent or its sockets were closed, the router
# saw, and routers keep the routes for different times after the one and the other (facts/bgp.md 2).
ENDED = (Event.POWER_OFF, Event.CRASH, Event.RESTART)
WITHDREW = (Event.DESELECT,)


def leaving(address: str, unread: frozenset[str]) -> Sequence[Event]:
    """What a leave amounts to for one peer. A router that never read our withdraws learns nothing from
    them."""
    return ENDED if address in unread else WITHDREW


def never_read(state: NodeState | None) -> frozenset[str]:
    """The peers that did not take the withdraws: they stopped reading, or had no session, after which a
    router may keep the routes for its restart time; or there was no withdraw."""
    if state is None:
        return frozenset()
    left = state.withdrawn.peers if state.withdrawn else ()
    deaf = (peer.state for peer in left if not peer.flushed)
    return frozenset(peer.address for peer in (*deaf, *state.unwithdrawn))


def with_vanished(state: NodeState | None, journal: Journal | None) -> NodeState | None:
    """With the peers of a drain that the node has no more. How their sessions ended nobody saw, and their
    routers may keep what was announced to them. Our own speaker remembers them itself; of other stacks what
    they would have offered is taken from the peer that offers the most."""
    if state is None or state.phase != UNTOLD or journal is None or journal.command != "drain":
        return state
    called = names(state, journal)
    there = {called[endpoint(peer)] for peer in state.holders}
    gone = [name for name in still(called, journal.peers) if name not in there]
    if not gone or not state.peers:
        return state
    like = max(state.peers, key=lambda peer: (peer.configured_restart_time or 0, peer.configured_hold_time))
    return replace(state, unwithdrawn=(*state.unwithdrawn, *(_vanished(name, like) for name in gone)))


def _vanished(name: str, like: PeerState) -> PeerState:
    host, port = parse(name)
    session = Session(name, SessionState.UNKNOWN, gr_told=False, end_of_rib=None)
    return replace(like, name=name, address=host, port=port or like.port, session=session)


def known_peers(state: NodeState | None) -> tuple[PeerState, ...]:
    """The peers that the speaker has or lost and, when it has left, had. A router may be in there twice: what
    it negotiated before it still keeps, whatever a policy says of it now."""
    if state is None:
        return ()
    left = state.withdrawn.peers if state.withdrawn and not state.peers else ()
    kept = (*state.peers, *state.unwithdrawn)
    return (*kept, *others((peer.state for peer in left), kept))

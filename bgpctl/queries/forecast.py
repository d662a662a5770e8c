"""`forecast`: what every failure would cost nodes, by what speakers told and by the cluster's objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bgpctl import providers
from bgpctl.core.drain.paths import announcers
from bgpctl.core.drain.vips import SERVICE, vips
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.intent.services import NO_LOAD_BALANCER_IP
from bgpctl.core.model import Intent, Session
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.disruption import Scheme
from bgpctl.core.timing.facts import PeerFacts, facts_from_peer
from bgpctl.core.timing.failures import READMITTED, READMITTED_OTHER, Scenario, Span
from bgpctl.core.timing.forecast import (
    EXPECTED,
    Brief,
    Forecast,
    Router,
    Subject,
    brief,
    forecast,
    uncovered,
)
from bgpctl.core.timing.groups import Announced, Group, Own, Sessions, untold
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.whatif import Settings, check_keepalive
from bgpctl.core.timing.withdrawal import Close
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.ports import Provider
from bgpctl.queries.estimates import peers_of, refuse_strangers, reported
from bgpctl.runbooks import cluster, whose
from bgpctl.runbooks.objects import no_such_node

ANY = ""  # the key of a scheme that holds for every router


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told: which scenarios, with which settings beside today's; what is known of routers by
    their address; for how long a restart takes what speaks BGP away (seconds)."""

    scenarios: Sequence[Scenario]
    settings: Settings | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    away: Span = EXPECTED


def forecasts(
    client: Client, names: Sequence[str], asked: Asked, provider: Provider | None = None
) -> tuple[Forecast, ...]:
    """The forecast of each node that is named. Raises UsageError for a name or an address that does not
    exist, BgpctlError for a node without peers."""
    worlds: dict[str, _World] = {}
    found = []
    for name in dict.fromkeys(names):
        its = provider or whose.provider(client, name)
        world = worlds.get(its.name) or worlds.setdefault(its.name, _World(client, its))
        found.append(world.subject(name, asked))
    peers = [router.facts for subject in found for router in subject.routers]
    _refuse(asked, [subject.node for subject in found], [one.address for one in peers])
    if asked.settings:
        check_keepalive(asked.settings, peers)
    return tuple(forecast(subject, asked.scenarios, asked.settings) for subject in found)


def briefs(client: Client, asked: Asked, provider: Provider | None = None) -> tuple[Brief, ...]:
    """Of every node that has peers, or whose speaker published what cannot be read; what costs most first."""
    world = _World(client, provider or providers.of(client))
    found = tuple(world.briefs(asked))
    _refuse(asked, [one.node for one in found], world.addresses)
    return tuple(sorted(found, key=lambda one: (-one.lost, -(one.alone or 0), one.node)))


def _refuse(asked: Asked, nodes: Sequence[str], addresses: Sequence[str]) -> None:
    refuse_strangers("--peer-profile", nodes, asked.profiles, addresses)
    refuse_strangers("--scheme", nodes, set(asked.schemes) - {ANY}, addresses)


@dataclass
class _World:
    """One look at the cluster, by the objects of one provider."""

    client: Client
    provider: Provider

    @cached_property
    def objects(self) -> cluster.Objects:
        """Each kind of object listed once."""
        return cluster.read(self.client, self.provider)

    @cached_property
    def _documents(self) -> Mapping[str, cluster.Document]:
        return {name_of(document): document for document in self.objects.nodes}

    @cached_property
    def _now(self) -> float:
        return self.client.present()

    @cached_property
    def _announced(self) -> Announced:
        """Of the nodes whose speaker is really there."""
        states, fleet = self.objects.states, self.objects.outlook.fleet
        alive = [name for name in self._documents if cluster.announces(states.get(name), self._now)]
        there = [self.objects.announcer(self._documents[name]) for name in alive]
        found = announcers(fleet, there) if fleet else ()
        return Announced(found, {name: _sessions(states[name]) for name in alive})

    @property
    def _readmitted(self) -> float:
        """Of bgpctl's own speaker it is measured at every router."""
        return READMITTED if self.provider.name == providers.DEFAULT else READMITTED_OTHER

    def _intent(self, name: str) -> Intent:
        document = self._documents[name]
        return carried(self.objects.compiled(document), self.objects.announcer(document).sessions)

    # -- one node

    def subject(self, name: str, asked: Asked) -> Subject:
        """All that is known of it. Raises UsageError where there is no such node."""
        if name not in self._documents:
            raise no_such_node(name, known=self._documents)
        document = self.client.find(paths.node(name))  # its journal and labels, by now
        if document is None:
            raise no_such_node(name)
        known, intent = peers_of(self.provider, document), self._intent(name)
        fleet = self.objects.outlook.fleet
        found = vips([intent], fleet.services, fleet.slices) if fleet else ()
        own = Own(name, intent.routes, {vip.prefix: vip for vip in found})
        routers = tuple(
            _router(facts, told, asked, self._groups(facts, told, own, intent))
            for facts, told in zip(known.peers, known.told, strict=True)
        )
        pending = {one.origin for one in intent.absent if one.reason == NO_LOAD_BALANCER_IP}
        return Subject(
            name,
            routers,
            pods=_pods(self.client, name),
            close=known.close,
            soak=known.soak,
            away=asked.away,
            pending=tuple(sorted(origin.removeprefix(SERVICE) for origin in pending)),
            notes=tuple(self._notes(name, intent, routers)),
            readmitted=self._readmitted,
        )

    def _groups(
        self, facts: PeerFacts, told: PeerState | None, own: Own, intent: Intent
    ) -> tuple[Group, ...]:
        """By the peer's name, else by its address: not every stack calls it as its configuration does. A node
        that left has none."""
        same = (peer.name for peer in intent.peers if str(peer.address) == facts.address)
        for name in (facts.peer, *same):
            if name in own.routes:
                return own.grouped(name, facts.address, self._announced)
        if self._left(own.node, told, intent):
            return ()
        return untold(told.session if told else Session(facts.peer))

    def _left(self, name: str, told: PeerState | None, intent: Intent) -> bool:
        """Has it nothing to announce to this peer, and nothing there that was not withdrawn?"""
        if self.objects.outlook.fleet is None or intent.selected:
            return False
        if told is not None:
            return not told.session.established and not told.announced
        state = self.objects.states.get(name)
        return state is not None and state.withdrawn is not None and not state.unproved

    def _notes(self, name: str, intent: Intent, routers: Sequence[Router]) -> Iterator[str]:
        state = self.objects.states.get(name)
        if state is not None and state.stale(self._now):
            age = f"{self._now - state.last_seen:.0f} s"
            yield f"its speaker has not reported for {age}: what it told last is taken"
        if self.objects.outlook.fleet is None:
            yield "what this stack announces cannot be told from outside, nor who else announces it"
        elif not intent.selected:
            yield "no policy selects it by the cluster's objects"
        for router in routers:
            address = router.facts.address
            if not router.groups:
                yield f"{address} gets no routes"
                continue
            if not router.facts.negotiated:
                yield f"{address}: nothing negotiated yet, so its policy's values are taken"
            for family in sorted(router.uncovered):
                yield f"{address}: graceful restart does not cover {family}"

    # -- all nodes

    def briefs(self, asked: Asked) -> Iterator[Brief]:
        """How a node is made to leave is asked of one of them: each would be a request of its own."""
        alone = Counter(
            next(iter(vip.announcers)) for vip in self._announced.vips if len(vip.announcers) == 1
        )
        known, memo = self.objects.outlook.fleet is not None, dict[Any, Any]()
        for name, document in sorted(self._documents.items()):
            state = self.objects.states.get(name)
            if state is not None and state.unreadable:
                yield Brief(
                    name, {}, problem=f"what its speaker published cannot be read: {state.unreadable}"
                )
            elif routers := self._told(document, state, asked):
                if asked.settings:
                    check_keepalive(asked.settings, (router.facts for router in routers))
                soak = state.soak if state else 0.0
                subject = Subject(
                    "", routers, None, self._close, soak, asked.away, readmitted=self._readmitted
                )
                if subject not in memo:
                    memo[subject] = brief(subject, asked.scenarios, asked.settings)
                yield Brief(name, memo[subject], len(routers), alone[name] if known else None)

    def _told(self, document: cluster.Document, state: NodeState | None, asked: Asked) -> tuple[Router, ...]:
        if state is not None and state.peers:
            known = reported(state, None)
            pairs = zip(known.peers, known.told, strict=True)
            return tuple(_router(facts, peer, asked, ()) for facts, peer in pairs)
        fleet = self.objects.outlook.fleet
        peers = fleet.bare(document).peers if fleet else ()
        facts = (facts_from_peer(peer) for peer in peers)
        # Whether a stack sends the N bit by itself, its objects do not tell.
        return tuple(
            _router(replace(one, local_n=one.restart_time is not None), None, asked, ()) for one in facts
        )

    @cached_property
    def _close(self) -> Close | None:
        first = next((d for n, d in self._documents.items() if n in self.objects.states), None)
        return self.provider.lever(first, outlook=self.objects.outlook).close if first else None

    @property
    def addresses(self) -> list[str]:
        """Of every router that a node told of."""
        return [peer.address for state in self.objects.states.values() for peer in state.peers]


def _router(facts: PeerFacts, told: PeerState | None, asked: Asked, groups: tuple[Group, ...]) -> Router:
    return Router(
        facts,
        groups,
        asked.profiles.get(facts.address, UNKNOWN_ROUTER),
        asked.schemes.get(facts.address, asked.schemes.get(ANY, Scheme.UNKNOWN)),
        uncovered(told) if told else frozenset(),
    )


def _sessions(state: NodeState) -> Sessions:
    return {peer.address: peer.session.local_address for peer in state.peers if peer.session.established}


def _pods(client: Client, node: str) -> int | None:
    """How many pods of the node have an address of their own and run; None where we may not look."""
    query = {"fieldSelector": f"spec.nodeName={node}"}
    try:
        found, _ = client.read_list(paths.PODS, query, _counts)
    except ApiError as error:
        if error.code != 403:
            raise
        return None
    return sum(found)


def _counts(pod: cluster.Document) -> bool:
    """One that cannot be read counts."""
    try:
        read = Foreign.of(pod)
        ended = read.child("status").text("phase") in ("Succeeded", "Failed")
        return not ended and not read.child("spec").flag("hostNetwork")
    except Unreadable:
        return True

"""Ask the routers, and remember how often in a row each said "absent".

A probe without "@PEER" looks at the node's only peer; with several peers it must say which router it is. A
router is asked about every address that the node is or was known by there: one that keeps the routes of a
session from an earlier address sends traffic all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.state import MOST_LOCALS, UNTOLD, NodeState, newest, unplaced
from bgpctl.runbooks.drain_steps import pulled
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.peers import Endpoint, Names, endpoint, names, own, parse, peers_of
from bgpctl.runbooks.questions import Question, Questions
from bgpctl.runbooks.snapshot import PeerAnswer
from bgpctl.witness.model import RouterAnswer, RouteState, same_host
from bgpctl.witness.probe import Probe

SHOWN = (RouteState.PRESENT, RouteState.STALE)
TOO_MANY = f"the node had {MOST_LOCALS} addresses towards it or more: of older ones nobody can be sure"
LONGEST_TARGET = 300  # characters of a probe's target that a witness is named by
TWO = "at one address, two ports or two VRFs are two routers; name the probe of each"


@dataclass(frozen=True, slots=True)
class Target:
    """A router to watch: who it is among the node's peers, and what it calls the node."""

    probe: Probe
    peer: Endpoint
    neighbor: str

    def ask(self) -> RouterAnswer:
        """What it has of the node's session; of another router than the peer that is not known."""
        return _of_peer(self.probe.routes_from(self.neighbor), self.peer[0])


@dataclass(slots=True)
class Routers:
    """The probes of one run, and their unbroken rows of "absent". `_known`: the node's addresses towards each
    peer, the newest last. `_holding`: the peers that may have routes of it, by the last look."""

    probes: Sequence[Probe] = ()
    questions: Questions = field(default_factory=Questions)
    _absent: dict[tuple[int, str], tuple[float, int]] = field(default_factory=dict)
    _known: dict[Endpoint, tuple[str, ...]] = field(default_factory=dict)
    _holding: tuple[Endpoint, ...] = ()
    _shared: frozenset[int] = frozenset()  # the probes whose router answers for another peer too
    _silent: bool = False  # who tells of the sessions does not tell the node's end of them

    def look(
        self,
        state: NodeState | None,
        journal: Journal | None,
        now: Callable[[], float],
        addresses: Sequence[str] = (),
    ) -> tuple[PeerAnswer, ...]:
        """One answer per probe. The speaker's sessions tell the node's address as the router sees it;
        `addresses` are the Node's own. `now` is the run's clock, by which an answer is dated once it is
        there."""
        self._remember(state, journal)
        self._void_before(pulled(journal))
        called = names(state, journal, self._known)
        self._silent = state is not None and state.phase == UNTOLD
        asked = [self._ask(probe, called, now, addresses) for probe in self.probes]
        peers = [peer for peer, _ in asked]
        answers = self.questions.ask([question for _, question in asked])
        twice = _for_two(self.probes, peers, answers)
        self._shared = frozenset(twice)
        answers = [_void(one, twice.get(number, "")) for number, one in enumerate(answers)]
        return tuple(
            PeerAnswer(peer, answer, *self._row((number, peer), answer), witness(self.probes[number], answer))
            for number, (peer, answer) in enumerate(zip(peers, answers, strict=True))
        )

    def targets(self) -> tuple[Target, ...]:
        """Every probe with the node's address as its router sees it, where a look has told it."""
        called = names(None, None, self._known)
        own = (probe for number, probe in enumerate(self.probes) if number not in self._shared)
        asked = ((probe, _meant(probe, called)) for probe in own)
        known = ((probe, meant[0], self._addresses(meant[0])) for probe, meant in asked if len(meant) == 1)
        return tuple(
            Target(probe, peer, found[-1])
            for probe, peer, found in known
            if found and not self._twice(probe, peer, called)
        )

    def untargeted(self) -> tuple[str, ...]:
        """The peers that may have routes of the node, and that no such probe is about."""
        called, aimed = names(None, None, self._known), {target.peer for target in self.targets()}
        return tuple(called.get(one, one[0]) for one in dict.fromkeys(self._holding) if one not in aimed)

    def _remember(self, state: NodeState | None, journal: Journal | None = None) -> None:
        """Local addresses by peer; after the sessions are gone, the withdrawn record still has them."""
        for name, written in journal.locals.items() if journal else ():
            one = parse(name)
            self._known[one] = newest((*written, *self._known.get(one, ())))
        if state is not None:
            self._holding = tuple(map(endpoint, state.holders))
        for peer in peers_of(state):
            assert state is not None, "it has peers"
            self._known[endpoint(peer)] = newest((*self._known.get(endpoint(peer), ()), *own(peer, state)))

    def _addresses(self, one: Endpoint) -> tuple[str, ...]:
        """The node's addresses towards a peer, the newest last; also those from before its port counted."""
        found = (self._known.get(each, ()) for each in dict.fromkeys(((one[0], None), one)))
        return newest(address for known in found for address in known)

    def _void_before(self, relabelled: float) -> None:
        """What was absent before the relabel may have come and gone since: its row does not count."""
        self._absent = {key: row for key, row in self._absent.items() if row[0] >= relabelled}

    def _ask(
        self, probe: Probe, called: Names, now: Callable[[], float], addresses: Sequence[str]
    ) -> tuple[str, Question]:
        """The peer that the probe's router is, and the question to it."""
        meant = _meant(probe, called)
        if len(meant) > 1:
            return "", partial(_unasked, probe, "", _which(probe, [called[one] for one in meant]))
        if not meant:
            said = probe.peer or ""
            return said, partial(_unasked, probe, said, _stranger(said, called) if called else _unknown(said))
        (one,) = meant
        peer, known = called[one], self._addresses(one)
        if not known and self._silent:
            known = tuple(_like(addresses, one[0]))  # what it may be: the router tells a stranger
        if other := self._twice(probe, one, called):
            return peer, partial(_unasked, probe, peer, f"{_named(probe)} is given for {other} too: {TWO}")
        if not known:
            return peer, partial(_unasked, probe, peer, _unknown(peer))
        if len(known) >= MOST_LOCALS:
            return peer, partial(_unasked, probe, peer, TOO_MANY)
        others = [a for a in dict.fromkeys((*known, *_like(addresses, one[0]))) if a != known[-1]]

        def ask() -> RouterAnswer:
            told = _about_all(probe, one[0], known[-1], others)
            return replace(told, router=f"{probe.kind} {peer}", at=now())

        return peer, ask

    def _twice(self, probe: Probe, one: Endpoint, called: Names) -> str:
        """Another peer at the same address that the same router is said to be, "" = none: two ports are two
        routers, and so are two VRFs, and the word of one of them is not the other's."""
        same = [each for each in self.probes if each is not probe and _named(each) == _named(probe)]
        meant = (each for probe in same if len(each := _meant(probe, called)) == 1)
        host = unplaced(one[0])
        return next((called[at] for (at,) in meant if unplaced(at[0]) == host and at != one), "")

    def _row(self, key: tuple[int, str], answer: RouterAnswer) -> tuple[float | None, int]:
        if answer.routes is not RouteState.ABSENT:
            self._absent.pop(key, None)
            return None, 0
        since, count = self._absent.get(key, (answer.at, 0))
        self._absent[key] = (since, count + 1)
        return since, count + 1


def witness(probe: Probe, answer: RouterAnswer) -> str:
    """Which router answered, as far as it can be told: what was asked, and the BGP Identifier of who
    answered, else its machine (the same path leads to another router on another machine)."""
    kind, _, target = _named(probe).partition("=")
    asked = f"{kind}={target[:LONGEST_TARGET]}"
    if answer.router_id:
        return f"{asked}, router ID {answer.router_id}"
    return f"{asked}, on the machine with boot ID {answer.machine}" if answer.machine else asked


def _named(probe: Probe) -> str:
    """One spelling for each path: a link, or a slash more, is no other router."""
    target = probe.target if probe.kind == "gobgp" else os.path.realpath(probe.target)
    return f"{probe.kind}={target}"


def _meant(probe: Probe, called: Names) -> list[Endpoint]:
    """The peers that the probe may be about. Without "@PEER": any of the node's."""
    if probe.peer is None:
        return list(called)
    host, port = parse(probe.peer)
    return [one for one in called if one[0] == host and (None in (port, one[1]) or port == one[1])]


def _unknown(peer: str) -> str:
    return f"the node's address towards {peer or 'it'} is unknown"


def _stranger(said: str, called: Names) -> str:
    return f"@{said} is no peer of the node (@PEER is the address of one: {', '.join(called.values())})"


def _which(probe: Probe, peers: Sequence[str]) -> str:
    where = f" at {probe.peer}" if probe.peer else ""
    example = f"--router-probe {probe.kind}={probe.target}@{peers[0]}"
    return f"the node has {len(peers)} peers{where} ({', '.join(peers)}); say which it is, as in {example}"


def _like(addresses: Sequence[str], peer: str) -> list[str]:
    """The Node's addresses of the peer's IP version: what a session to it may come from."""
    try:
        version = parse_zoned(unplaced(peer)).version
    except ValueError:
        return []
    return [address for address in addresses if parse_zoned(address).version == version]


# --- one answer about a node --------------------------------------------------------------------------------


def _about_all(probe: Probe, peer: str, neighbor: str, others: Sequence[str]) -> RouterAnswer:
    """What the router has of the node, whichever address it knows it by. That it does not know one which was
    only used before is fine: then it has nothing from there."""
    told = _of_peer(probe.routes_from(neighbor), peer)
    if told.routes is RouteState.UNKNOWN and not told.stranger:
        return told
    more = [one for one in (_of_peer(probe.routes_from(o), peer) for o in others) if not one.stranger]
    if shown := [one for one in more if one.routes in SHOWN]:
        said = "; ".join((told.detail, *(f"from {one.neighbor}: {one.detail}" for one in shown)))
        worst = min((told, *shown), key=lambda one: _WORST.index(one.routes))
        return replace(worst, neighbor=neighbor, detail=said)
    unknown = next((one for one in more if one.routes is RouteState.UNKNOWN), None)
    if unknown is None or told.routes is not RouteState.ABSENT:
        return told
    detail = f"it does not say what it has from {unknown.neighbor}, an address of the node: {unknown.detail}"
    return replace(told, routes=RouteState.UNKNOWN, detail=detail)


_WORST = (RouteState.PRESENT, RouteState.STALE, RouteState.UNKNOWN, RouteState.ABSENT)


def _of_peer(answer: RouterAnswer, peer: str) -> RouterAnswer:
    """Another router may know the node as well, and have its routes: what that one says is not the peer's
    word. The end of the session that the router calls its own tells them apart."""
    peer = unplaced(peer)
    if answer.session != "established" or any(same_host(each, peer) for each in answer.local.split(", ")):
        return answer
    detail = f"its session with this node is from {answer.local}, not {peer}: another router?"
    return replace(answer, routes=RouteState.UNKNOWN, paths=(), detail=detail)


def _for_two(
    probes: Sequence[Probe], peers: Sequence[str], answers: Sequence[RouterAnswer]
) -> dict[int, str]:
    """A GoBGP is asked over the network, and a host has many names: one that is given for two peers at one
    address tells so by its BGP Identifier. Which of the two it is nobody knows. The numbers of such probes,
    each with the other peer."""
    told, found = list(zip(probes, peers, answers, strict=True)), dict[int, str]()
    for number, (probe, peer, one) in enumerate(told):
        same = (name for other, name, its in told if its.router_id == one.router_id and _alike(probe, other))
        also = next((name for name in same if name != peer and same_host(*map(_host, (name, peer)))), "")
        if also and one.router_id:
            found[number] = also
    return found


def _void(one: RouterAnswer, also: str) -> RouterAnswer:
    """The answer of a router that answered for another peer too; "" = it did not."""
    if not also:
        return one
    detail = f"it has the BGP Identifier of the router that was asked for {also}, {one.router_id}: {TWO}"
    return replace(one, routes=RouteState.UNKNOWN, paths=(), detail=detail)


def _alike(probe: Probe, other: Probe) -> bool:
    """May both reach one GoBGP? Daemons on one machine may share an Identifier, but not the port of their
    API."""
    ports = {each.target.rpartition(":")[2] if ":" in each.target else "" for each in (probe, other)}
    return probe.kind == other.kind == "gobgp" and len(ports) == 1


def _host(peer: str) -> str:
    return unplaced(parse(peer)[0])


def _unasked(probe: Probe, peer: str, why: str) -> RouterAnswer:
    return RouterAnswer(f"{probe.kind} {peer or probe.target}", "", RouteState.UNKNOWN, detail=why)

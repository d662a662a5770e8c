"""The routers' side of the sessions: every probe is asked once, about all of its neighbors, and these are put
beside the nodes that they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bgpctl.core.doctor.facts import Crowd, Facts, Met, Side
from bgpctl.core.model import Intent, family_of
from bgpctl.core.state import NodeState, PeerState
from bgpctl.witness.model import own_address, same_address
from bgpctl.witness.neighbors import RouterReport, ask_neighbors
from bgpctl.witness.probe import Probe

UNTOLD = "no router tells by which paths it forwards"


def ask_all(probes: Sequence[Probe]) -> tuple[RouterReport, ...]:
    """One after the other; each takes `TIMEOUT_SECONDS` at most."""
    return tuple(ask_neighbors(probe) for probe in probes)


def matched(facts: Facts, reports: Sequence[RouterReport]) -> Facts:
    """With what the routers said. A neighbor that is no node's address is somebody else's, and left out."""
    failed = {report.router: report.problem for report in reports if report.problem}
    answered = [report for report in reports if not report.problem]
    missing = dict(facts.missing)
    if not answered or facts.states is None:
        missing["routers"] = "no router answered" if facts.states is not None else missing["states"]
        missing["crowds"] = missing["routers"]
        return replace(facts, probes_failed=failed, missing=missing)
    owners = _owners(facts)
    met = {report.router: tuple(_met(report, owners, facts.states)) for report in answered}
    crowds = [crowd for report in answered for crowd in _crowds(report, owners)]
    told = any(report.crowds is not None for report in answered)
    if not told:
        missing["crowds"] = UNTOLD
    return replace(
        facts,
        routers=tuple(one for some in met.values() for one in some),
        crowds=tuple(crowds) if told else None,
        probes_failed=failed,
        strangers=tuple(r.router for r in answered if not any(s.address in owners for s in r.sides)),
        missing=missing,
    )


def counted(facts: Facts, compiled: Callable[[str], Intent]) -> Facts:
    """What a speaker publishes of its counts may lag by half a minute (`core.state_lag`): where its router
    has fewer routes than that, it announces no more than it should by now. `compiled` tells of a node's name
    what that is; few are asked for, each may be thousands of routes."""
    if facts.routers is None:
        return facts
    return replace(facts, routers=tuple(_counted(m, compiled) if _short(m) else m for m in facts.routers))


def _short(met: Met) -> bool:
    """Has its router fewer routes than the speaker counted?"""
    told = met.peer.session.advertised
    return any(
        count is not None and count < told.get(channel.family, 0)
        for channel in met.side.channels
        for count in (channel.received, channel.accepted)
    )


def _counted(met: Met, compiled: Callable[[str], Intent]) -> Met:
    session, table = met.peer.session, compiled(met.node).routes.get(met.peer.name)
    if table is None:
        return met
    now = Counter(map(family_of, table))
    told = {family: min(count, now[family]) for family, count in session.advertised.items()}
    return replace(met, peer=replace(met.peer, session=replace(session, advertised=told)))


def _owners(facts: Facts) -> Mapping[str, str]:
    """The node of each address that a router may know one by: what its sessions and its Node say of it."""
    found: dict[str, str] = {}
    for node in facts.nodes:
        found.update({str(address): node.name for address in node.addresses})
    for state in (facts.states or {}).values():
        locals_ = (address for one in state.locals for address in one.addresses)
        sessions = (str(p.session.local_address) for p in state.peers if p.session.local_address)
        found.update({own_address(address): state.node for address in (*locals_, *sessions)})
    return {address: node for address, node in found.items() if address}


def _met(report: RouterReport, owners: Mapping[str, str], states: Mapping[str, NodeState]) -> Iterator[Met]:
    for side in report.sides:
        state = states.get(owners.get(own_address(side.address), ""))
        peer = _peer(state, side, report.peer) if state and not state.unreadable else None
        if state is not None and peer is not None:
            yield Met(state, peer, side)


def _peer(state: NodeState, side: Side, named: str | None) -> PeerState | None:
    """The node's peer that this router is: by the probe's word, by the router's own address, or because it is
    the only one. None = it cannot be told."""
    if named is not None:
        found = [peer for peer in state.peers if named in (peer.address, f"{peer.address}:{peer.port}")]
    elif own_address(side.local):
        found = [peer for peer in state.peers if same_address(peer.address, side.local)]
    else:
        found = list(state.peers)
    return found[0] if len(found) == 1 else None


def _crowds(report: RouterReport, owners: Mapping[str, str]) -> Iterator[Crowd]:
    """Of the prefixes that two nodes announce: paths from elsewhere are not ours to judge."""
    for crowd in report.crowds or ():
        paths = tuple(path for path in crowd.paths if own_address(path[0]) in owners)
        if len(paths) > 1:
            yield replace(crowd, paths=paths)

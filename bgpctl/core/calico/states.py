"""What is known of the BGP of a node that Calico runs: a NodeState of its BGPPeers and its CalicoNodeStatus.

Without a CalicoNodeStatus, which somebody has to ask for, no session is known. Calico counts no routes that
it sent, tells nothing of what was negotiated, and not since when a session is up by a clock that one could
use. Sessions between the nodes (the mesh) are left out: they are not the routers', and a drain leaves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from types import MappingProxyType

from bgpctl.core.calico.bird import Told
from bgpctl.core.calico.config import HOLD_TIME, MAINTENANCE, Defaults, Host, Peering
from bgpctl.core.calico.leave import FILTER, silenced
from bgpctl.core.calico.nodestatus import PERIOD_SECONDS, WRITING_SECONDS, NodeStatus
from bgpctl.core.calico.selector import Selector
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.model import Session, SessionState
from bgpctl.core.state import NodeState, PeerState

UNREAD = "BGPPeer"
NOT_TOLD: Mapping[str, Told] = MappingProxyType({})
LAG = PERIOD_SECONDS + WRITING_SECONDS

PREPARE = "bgpctl calico prepare"
UNTOLD = f"nobody asked Calico for the sessions of this node: `{PREPARE}` makes a CalicoNodeStatus"
SILENT = "calico-node has not written its CalicoNodeStatus yet: its sessions are not known"
DRAINED_BY_ENTERPRISE = f"somebody drains it already: annotation {MAINTENANCE}"
EXCLUDED = f"label {EXCLUDE}=true: Calico announces no Service address from it"
UNREJECTED = f"BGPFilter {FILTER} does not reject everything: its BGPPeers announce in spite of it"


class Hosts:
    """The Nodes of a cluster. Whom a selector chooses is found once."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.by_name: Mapping[str, Host] = {host.name: host for host in hosts}
        self._having: dict[str, dict[str, list[Host]]] = {}
        self._found: dict[str, tuple[Host, ...]] = {}

    def chosen(self, selector: Selector) -> tuple[Host, ...]:
        """Those that it matches."""
        if selector.text not in self._found:
            pair = next(iter(selector.pairs.items()), None)
            among = self.by_name.values() if pair is None else self._by(pair[0]).get(pair[1], ())
            self._found[selector.text] = tuple(host for host in among if selector.matches(host.labels))
        return self._found[selector.text]

    def _by(self, key: str) -> dict[str, list[Host]]:
        """One peer for each of thousands of nodes, by its host name, is no reason to look at all for each."""
        if key not in self._having:
            self._having[key] = {}
            for host in self.by_name.values():
                if key in host.labels:
                    self._having[key].setdefault(host.labels[key], []).append(host)
        return self._having[key]

    def of(self, peering: Peering) -> tuple[Host, ...]:
        """The nodes that it is for."""
        if not peering.node:
            return self.chosen(peering.nodes)
        return (self.by_name[peering.node],) if peering.node in self.by_name else ()

    def touched(self, peering: Peering) -> tuple[Host, ...]:
        """Those, and those that have the other ends of its sessions."""
        if peering.reverse is None:
            return self.of(peering)
        both = (*self.of(peering), *self.chosen(peering.reverse))
        return tuple({host.name: host for host in both}.values())


@dataclass(frozen=True, slots=True)
class Unread:
    """A BGPPeer that cannot be read. `node`: the only one that it can be for, "" = any of those that `nodes`
    matches."""

    name: str
    node: str
    nodes: Selector
    why: str

    def may_be_for(self, host: Host) -> bool:
        """Could it give this node sessions?"""
        return self.node == host.name if self.node else self.nodes.matches(host.labels)

    def __str__(self) -> str:
        known = self.node or self.nodes.text
        whose = "" if known else ": for which nodes it is, is not known"
        return f"{UNREAD} {self.name} cannot be read ({self.why}){whose}"


@dataclass(frozen=True, slots=True)
class World:
    """What decides about all nodes. `rejects`: the BGPFilter is there, and withdraws. `pods`: the IPPools
    whose addresses are announced. `others`: the labels by which those select that are not in here."""

    hosts: Hosts
    peerings: Sequence[Peering]
    defaults: Defaults = field(default_factory=Defaults)
    rejects: bool = False
    pods: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    others: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """The labels by which any BGPPeer selects nodes."""
        return self.others.union(*(peering.nodes.keys for peering in self.peerings))

    def of(self, host: Host) -> tuple[Peering, ...]:
        """The BGPPeers that give the node sessions with routers or other nodes."""
        return tuple(p for p in self.peerings if not p.workload and (p.selects(host) or p.answers(host)))

    def by_node(self) -> Mapping[str, Sequence[Peering]]:
        """The same of all nodes at once."""
        found: dict[str, list[Peering]] = {name: [] for name in self.hosts.by_name}
        for peering in self.peerings:
            for host in () if peering.workload else self.hosts.touched(peering):
                found[host.name].append(peering)
        return found

    def unread_for(self, host: Host) -> tuple[Unread, ...]:
        """What may be about this node."""
        return tuple(one for one in self.unread if one.may_be_for(host))

    def out(self, host: Host, peerings: Sequence[Peering]) -> bool:
        """Does the node announce nothing by its configuration, because it was made to?"""
        if not peerings:
            return False
        by_filter = self.rejects and all(silenced(peering) for peering in peerings)
        return by_filter or (host.asked and host.excluded and not self.pods)


def node_state(
    host: Host,
    world: World,
    peerings: Sequence[Peering],
    status: NodeStatus | None,
    trouble: str = "",
    told: Mapping[str, Told] = NOT_TOLD,
    by: str = "",
) -> NodeState:
    """`status` None = there is none about its sessions; `trouble`: why it cannot be read. `told`: what its
    BIRD said just now, by the peer's address, of every peer or of none, and `by` whom that was heard."""
    out = world.out(host, peerings)
    peers = tuple(_asked(peer, told) for peer in _peers(host, world, peerings, status))
    down = [peer for peer in peers if not peer.session.established]
    lost = [peer for peer in down if out and peer.session.state is not SessionState.UNKNOWN]
    return NodeState(
        host.name,
        phase="",
        selected_by="" if out else ", ".join(peering.name for peering in peerings),
        selected_by_kind="BGPPeer" if peerings and not out else "",
        problems=(*_problems(host, world, peerings, status, trouble),),
        intended=None,
        announced=_announced(peers),
        peers=peers,
        unwithdrawn=tuple(lost),
        lag=0.0 if told else status.lag if status else LAG,
        told_out=out,
        engine_asked=by if told else "",
        unread=tuple(map(str, world.unread_for(host))),
    )


def _asked(peer: PeerState, told: Mapping[str, Told]) -> PeerState:
    """BIRD's own word goes before what calico-node wrote."""
    if peer.address not in told:
        return peer
    said = told[peer.address]
    return replace(peer, session=replace(peer.session, state=said.state), announced=said.exported)


def _announced(peers: Sequence[PeerState]) -> int | None:
    """None unless it is told of each."""
    counts = [peer.announced for peer in peers]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _problems(
    host: Host, world: World, peerings: Sequence[Peering], status: NodeStatus | None, trouble: str
) -> Iterator[str]:
    yield from map(str, world.unread_for(host))
    if trouble:
        yield trouble
    elif peerings:
        if status is None:
            yield UNTOLD
        elif not status.told:
            yield SILENT
    if host.maintained:
        yield DRAINED_BY_ENTERPRISE
    if host.excluded:
        yield EXCLUDED
    if not world.rejects and any(FILTER in (peering.filters or ()) for peering in peerings):
        yield UNREJECTED


def _peers(
    host: Host, world: World, peerings: Sequence[Peering], status: NodeStatus | None
) -> Iterator[PeerState]:
    for peering in peerings:
        for name, address, asn in _ends(host, world, peering):
            yield PeerState(
                name,
                address,
                peering.port,
                asn,
                (peering.selects(host) and peering.local_asn) or host.asn or world.defaults.asn,
                _session(name, address, host, status),
                configured_restart_time=peering.restart_time,
                configured_hold_time=HOLD_TIME,
                configured_keepalive_time=peering.keepalive_time,
                intended=None,
                announced=None,
            )


def _ends(host: Host, world: World, peering: Peering) -> Iterator[tuple[str, str, int]]:
    """The other ends of its sessions: a name, an address, an AS number."""
    if peering.remotes is None:
        if peering.address and peering.address not in (host.address4, host.address6):
            yield peering.name, peering.address, peering.asn or world.defaults.asn
        return
    others = world.hosts.chosen(peering.remotes) if peering.selects(host) else world.hosts.of(peering)
    for other in others:
        ends = (host.address4, other.address4), (host.address6, other.address6)
        for address in (address for own, address in ends if own and address and other != host):
            yield f"{peering.name}/{address}", address, other.asn or world.defaults.asn


def _session(name: str, address: str, host: Host, status: NodeStatus | None) -> Session:
    """Of one that calico-node does not name nothing is known: BIRD may not have it yet."""
    state = status.sessions.get(address, SessionState.UNKNOWN) if status else SessionState.UNKNOWN
    own = host.address(ip_address(address).version)
    local = ip_address(own) if own else None
    return Session(name, state, local_address=local, gr_told=False, end_of_rib=None)

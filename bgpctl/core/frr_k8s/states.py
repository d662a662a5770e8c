"""What is known of the BGP of a node that frr-k8s runs: a NodeState of its FRRConfigurations, what frr-k8s
tells of its sessions, and what FRR says when it is asked itself.

frr-k8s counts no routes. Of a node that was made to withdraw they are none where FRR's own configuration,
read back, lets nothing out to any peer (`running`), or where FRR says so itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType

from bgpctl.core.frr_k8s import leave
from bgpctl.core.frr_k8s.config import (
    KIND,
    LONG_LIVED,
    LONGEST_HOLD,
    LONGEST_RESTART,
    RESTART_TIME,
    Configuration,
    Neighbor,
    Unread,
    merged,
)
from bgpctl.core.frr_k8s.running import mentioned, strange, timed
from bgpctl.core.frr_k8s.told import SESSION_LAG, NodeStatus, Sessions
from bgpctl.core.model import Session, SessionState
from bgpctl.core.state import NodeState, PeerState, placed

NOT_TOLD: Sessions = MappingProxyType({})
CLOCKS = 2.0  # seconds that a creation's instant may be off: it has no fraction

UNTOLD = "frr-k8s tells no session of this node: it does so from 0.0.18 on (BGPSessionState)"
UNREPORTED = "no FRRNodeState tells what FRR runs on it"
UNTAKEN = "FRR does not show the lines of {name} yet, by which it announces nothing"


@dataclass(frozen=True, slots=True)
class Host:
    """What decides about one Node. `configurations`: those that are for it, without the one by which it
    withdraws, which is `ours`. `sessions` None = frr-k8s tells of none. `status` None = there is none;
    `trouble`: why it or a session cannot be read. `spaces`: the namespaces of all this; frr-k8s looks into
    one."""

    name: str
    labels: Mapping[str, str]
    configurations: Sequence[Configuration]
    ours: Configuration | None = None
    unread: Sequence[Unread] = ()
    status: NodeStatus | None = None
    sessions: Mapping[tuple[str, str], SessionState] | None = field(default_factory=dict)
    trouble: str = ""
    spaces: frozenset[str] = frozenset()

    @property
    def neighbors(self) -> tuple[Neighbor, ...]:
        """The peers that it has by typed fields."""
        return merged(self.configurations)

    @property
    def concerned(self) -> bool:
        """Does frr-k8s do anything there that is worth a row?"""
        return bool(self.neighbors or self.ours or self.unread)

    @property
    def loud(self) -> tuple[Neighbor, ...]:
        """The peers that it announces to, by what is written."""
        ours = self.ours if self.ours and self.ours.selects(self.labels) else None
        silent = leave.silenced(ours, self.neighbors)
        return tuple(one for one in self.neighbors if one not in silent)

    @property
    def speaking(self) -> tuple[str, ...]:
        """The names of the FRRConfigurations by which it does, or may."""
        by_lines = (
            {one.name for one in self.configurations if one.raw} if any(self._by_raw_lines()) else set()
        )
        return tuple(sorted({one.source for one in self.loud} | by_lines))

    @property
    def out(self) -> bool:
        """Was it made to announce nothing?"""
        return self.ours is not None and not self.speaking

    @property
    def taken(self) -> bool:
        """Does FRR run with nothing let out, to any peer that it has?"""
        if self.status is None or not self.out:
            return False
        running = self.status.running
        known = {one.key for one in self.neighbors}
        return running.neighbors <= known and all(running.silences(n, leave.LIST) for n in self.neighbors)

    def troubles(self) -> Iterator[str]:
        """Why nobody can be sure to silence the node by lines of raw configuration, in sentences."""
        yield from (f"{one}: what the node announces is unknown" for one in self.unread)
        if len(self.spaces) > 1:
            yield f"its {KIND}s are in {', '.join(sorted(self.spaces))}, and frr-k8s looks into one namespace"
        for one in self.configurations:
            if word := strange(one.raw):
                yield f"{KIND} {one.name} has raw lines with `{word}`, which bgpctl's would not go with"
        yield from self._by_raw_lines()
        for peer in self.neighbors:
            if peer.evpn:
                yield f"{peer.name} gets EVPN routes too ({KIND} {peer.source}): no prefix list stops those"

    def _by_raw_lines(self) -> Iterator[str]:
        """What FRR has by lines that are nobody's typed fields."""
        raw = [one.raw for one in self.configurations if one.raw]
        if self.status is None:
            if raw:
                yield f"{UNREPORTED}, and raw lines of {KIND}s may add peers"
            return
        if keys := mentioned(self.status.running, raw, (one.key for one in self.neighbors)):
            named = ", ".join(address for _, address in keys)
            yield f"FRR has a neighbor {named} by raw lines of an {KIND} only, of which nothing is known"
        if self.status.running.grouped:
            yield "FRR has peer groups there, whose members its configuration does not name"


def node_state(host: Host, told: Sessions = NOT_TOLD, by: str = "", now: float = 0.0) -> NodeState:
    """`told`: what FRR said just now, of every peer or of none; `by`: whom that was heard. `now`: epoch
    seconds by the API server's clock."""
    loud, taken = frozenset(host.loud), host.taken
    peers = tuple(_peer(one, host, told, loud=one in loud, taken=taken) for one in host.neighbors)
    out = host.out
    down = [peer for peer in peers if out and _ended(peer, host, told, now)]
    return NodeState(
        host.name,
        phase="",
        selected_by=", ".join(speaking := host.speaking),
        selected_by_kind=KIND if speaking else "",
        problems=tuple(_problems(host, told)),
        intended=_sum([peer.intended for peer in peers]),
        announced=_sum([peer.announced for peer in peers]),
        peers=peers,
        unwithdrawn=tuple(down),
        lag=0.0 if told or (by and not peers) else SESSION_LAG,
        told_out=out,
        engine_asked=by,
        unread=tuple(map(str, host.unread)),
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    """None unless each is told."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _ended(peer: PeerState, host: Host, told: Sessions, now: float) -> bool:
    """Did its session end since the node was made to withdraw, whether it is up again or not? An FRR that was
    started anew announces nothing, and with graceful restart does not say soon that this is all."""
    said = next((one for key, one in told.items() if placed(*key) == peer.name), None)
    if said is None or not peer.session.established:
        return peer.session.state is not SessionState.UNKNOWN and not peer.session.established
    assert host.ours is not None, "it was made to"
    return now - said.uptime > host.ours.created + CLOCKS


def _problems(host: Host, told: Sessions) -> Iterator[str]:
    yield from host.troubles()
    if host.trouble:
        yield host.trouble
    if host.status is None:
        yield UNREPORTED
    else:
        if host.status.conversion:
            yield f"frr-k8s keeps an older configuration there: {host.status.conversion}"
        if host.status.reload:
            yield f"FRR did not take all of its last configuration: {host.status.reload}"
    if host.sessions is None and host.neighbors and not told:
        yield UNTOLD
    if host.out and not host.taken and host.ours and host.status:
        yield UNTAKEN.format(name=f"{KIND} {host.ours.name}")


def _peer(one: Neighbor, host: Host, told: Sessions, *, loud: bool, taken: bool) -> PeerState:
    said = told.get(one.key)
    state = (host.sessions or {}).get(one.key, SessionState.UNKNOWN)
    intended = None if one.prefixes is None else len(one.prefixes)
    keeps, hold = _timers(one, host)
    return PeerState(
        one.name,
        placed(one.vrf, one.address),
        one.port,
        one.asn,
        one.local_asn,
        Session(
            one.name,
            said.state if said else state,
            local_address=ip_address(one.local) if one.local else said.local if said else None,
            hold_time=said.hold_time if said else None,
            keepalive_time=said.keepalive_time if said else None,
            gr_told=False,
            long_lived=LONG_LIVED,
            end_of_rib=None,
        ),
        configured_restart_time=keeps,
        configured_hold_time=hold,
        configured_keepalive_time=one.keepalive_time,
        configured_notification=one.graceful,
        intended=0 if not loud else None if _raw(host) else intended,
        announced=said.sent if said else 0 if taken else None,
    )


def _timers(one: Neighbor, host: Host) -> tuple[int, int]:
    """The Restart Time and hold time that it offers: by the typed fields, and by lines that somebody added.
    Of those that FRR has not told yet the worst."""
    if host.status is not None:
        said = host.status.running
        return max(said.keeps, RESTART_TIME), said.holding(one.key, one.hold_time)
    if any(timed(one.raw) for one in host.configurations):
        return LONGEST_RESTART, LONGEST_HOLD
    return RESTART_TIME, one.hold_time


def _raw(host: Host) -> bool:
    """Has somebody lines of FRR's own in it?"""
    return any(one.raw for one in host.configurations)

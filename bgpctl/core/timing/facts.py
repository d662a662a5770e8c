"""What decides how long a peer keeps our routes: read from a session where one told, else from the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgpctl.core.model import Peer, Session
from bgpctl.core.state import PeerState, describe_peer


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """What decides how long one peer keeps our routes: negotiated where a session told, else configured.

    `restart_time` is R, None = we do not announce graceful restart. `graceful`: negotiated? `local_n`,
    `peer_n`: the N bit (RFC 8538) of our OPEN and of the router's. None = no session told yet. `long_lived`
    is L in seconds, None = not negotiated. `bfd` is the detection time in seconds, None = no BFD.
    `negotiated`: taken from a session. `engine_stays`: ExaBGP, which has the sessions, outlives its speaker.
    `peer_graceful`: does the router offer graceful restart, whether we do or not? None = no session told.
    """

    peer: str
    address: str
    hold_time: int
    keepalive_time: int
    restart_time: int | None
    graceful: bool | None
    local_n: bool
    peer_n: bool | None
    long_lived: int | None
    bfd: float | None = None
    negotiated: bool = False
    engine_stays: bool = False
    peer_graceful: bool | None = None
    port: int = 179


def facts_from_state(peer: PeerState) -> PeerFacts:
    """The facts of a peer as its speaker reports it; the policy's where no session was Established yet."""
    session = peer.session
    restarts = peer.configured_restart_time is not None
    configured = PeerFacts(
        peer=peer.name,
        address=peer.address,
        hold_time=peer.configured_hold_time,
        keepalive_time=peer.configured_keepalive_time,
        restart_time=peer.configured_restart_time,
        graceful=None if restarts else False,
        local_n=restarts and peer.configured_notification,
        peer_n=None,
        long_lived=session.long_lived,
        port=peer.port,
    )
    if session.hold_time is None:
        return configured
    local, remote = session.local_gr, session.peer_gr
    keepalive = session.keepalive_time
    timed = replace(
        configured,
        hold_time=session.hold_time,
        keepalive_time=session.hold_time // 3 if keepalive is None else keepalive,
        negotiated=True,
    )
    if not session.gr_told:
        return timed
    return replace(
        timed,
        restart_time=local.restart_time if local else None,
        graceful=local is not None and remote is not None,
        local_n=local is not None and local.notification,
        peer_n=remote is not None and remote.notification,
        long_lived=session.long_lived,
        peer_graceful=remote is not None,
    )


def facts_from_peer(peer: Peer) -> PeerFacts:
    """The facts of a peer that only the policy describes."""
    return facts_from_state(describe_peer(peer, Session(peer.name), 0, 0))

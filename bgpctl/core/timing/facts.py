"""What decides how long a peer keeps our routes: read from a session where one told, else from the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgpctl.core.model import Peer
from bgpctl.core.state import PeerState


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """What decides how long one peer keeps our routes: negotiated where a session told, else configured.

    `restart_time` is R, None = we do not announce graceful restart. `graceful`: negotiated? `local_n`,
    `peer_n`: the N bit (RFC 8538) of our OPEN and of the router's. None = no session told yet. `long_lived`
    is L in seconds, None = not negotiated. `bfd` is the detection time in seconds, None = no BFD.
    `negotiated`: taken from a session. `engine_stays`: ExaBGP, which has the sessions, outlives its speaker.
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


def facts_from_state(peer: PeerState) -> PeerFacts:
    """The facts of a peer as its speaker reports it; the policy's where no session was Established yet."""
    session = peer.session
    configured = _configured(
        peer.name,
        peer.address,
        peer.configured_hold_time,
        peer.configured_keepalive_time,
        peer.configured_restart_time,
        peer.configured_notification,
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
    )


def facts_from_peer(peer: Peer) -> PeerFacts:
    """The facts of a peer that only the policy describes."""
    return _configured(
        peer.name,
        str(peer.address),
        peer.hold_time,
        peer.keepalive_time,
        peer.restart_time,
        peer.graceful_notification,
    )


def _configured(
    name: str, address: str, hold: int, keepalive: int, restart: int | None, notification: bool
) -> PeerFacts:
    """What the policy asks for. Whether the router agrees to graceful restart is known where it is off."""
    graceful, local_n = (None, notification) if restart is not None else (False, False)
    return PeerFacts(name, address, hold, keepalive, restart, graceful, local_n, None, None)

"""What is known of the BGP of a node that Cilium runs: a NodeState of its CiliumBGPNodeConfig.

Cilium tells the state of each session, its times and how many routes it advertises per family, at most
every 5 s; not whether graceful restart was negotiated, nor from which address a session comes, nor that it is
alive. What it does not tell stays unknown:

- With graceful restart negotiated a count is one too high (it counts the End-of-RIB), and whether it was is
  not told. So a count is believed where graceful restart is off, or where it is 0.
- Of a node that was made to withdraw, nothing is left where each count that was 2 or more has come down to 1
  or 0: of two or more routes not one is there. That the one which is left is the End-of-RIB is assumed, and
  said: the agent's own word and the routers' go without it.
- A status sticks at "established" when the peers are taken away: only peers of the spec count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from bgpctl.core.cilium.agent import Told
from bgpctl.core.cilium.nodeconfig import Kept, NodeConfig, Peer, Reported
from bgpctl.core.model import Family, Session, SessionState
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.state import NodeState, PeerState

LAG = 7.0  # seconds that Cilium's word may be old: it looks every 5 s, give or take 0.5, and writes on change

UNTOLD = (
    "Cilium reports no session of this node: version 1.16 never does, newer ones only with "
    "bgpControlPlane.statusReport"
)
END_OF_RIB = (
    "that the one route which Cilium still counts is the End-of-RIB of graceful restart, which it counts too"
)
NOT_TOLD: Mapping[str, Told] = MappingProxyType({})
DEFAULT = BGPPeerConfig("")  # what a peer without a reference gets

Settings = Mapping[str, BGPPeerConfig]


def node_state(
    config: NodeConfig,
    settings: Settings,
    told: Mapping[str, Told] = NOT_TOLD,
    by: str = "",
    now: float = 0.0,
) -> NodeState:
    """`settings`: the CiliumBGPPeerConfigs by name; one that is missing costs its peer its session. `told`:
    what the agent said `now` (epoch seconds), of every peer or of none, and `by` who that was."""
    peers = tuple(_asked(_peer_state(peer, config, settings), told) for peer in config.peers)
    if config.withdrawn and config.kept and not _moved(config, config.kept):
        peers = tuple(one if one.name in told or one.announced else _not_told(one) for one in peers)
    down = config.withdrawn and (config.told or bool(told))
    return NodeState(
        config.node,
        phase="",
        selected_by=config.owner,
        selected_by_kind="CiliumBGPClusterConfig" if config.owner else "",
        problems=tuple(_problems(config, settings)),
        intended=None,
        announced=_announced(peers),
        peers=peers,
        unwithdrawn=tuple(p for p in peers if down and _ended(p, config, told.get(p.name), now)),
        lag=0.0 if told else LAG,
        told_out=config.withdrawn,
        engine_asked=by if told else "",
        assumes=END_OF_RIB if any(map(_assumes, peers, config.peers)) and not told else "",
    )


def _assumes(peer: PeerState, said: Peer) -> bool:
    """Is it taken for without a route, though a route is counted?"""
    return peer.announced == 0 and bool(said.reported and any(said.reported.advertised.values()))


def _not_told(peer: PeerState) -> PeerState:
    return replace(peer, announced=None)


def _moved(config: NodeConfig, kept: Kept) -> bool:
    """Is any count another than when the node was told to withdraw? Else what is told may be of before: of an
    agent that hangs it stays for ever."""
    return any(p.reported.advertised != kept.advertised.get(p.key) for p in config.peers if p.reported)


def _ended(peer: PeerState, config: NodeConfig, told: Told | None, now: float) -> bool:
    """Did its session end since the node was told to withdraw, whether it is up again or not? An agent that
    is started anew announces nothing, and with graceful restart does not say soon that this is all."""
    session, kept = peer.session, config.kept
    if not session.established or kept is None:
        return not session.established
    before = kept.since.get(peer.name)
    anew = bool(before and session.established_at and session.established_at != before)
    return anew or bool(told and kept.at and now - told.uptime > kept.at)


def _asked(peer: PeerState, told: Mapping[str, Told]) -> PeerState:
    """Its engine's own word goes before what was written of it."""
    if peer.name not in told:
        return peer
    session = replace(peer.session, state=told[peer.name].state)
    return replace(peer, session=session, announced=told[peer.name].advertised)


def silent(node: str, by: str = "") -> NodeState:
    """Of a node for which Cilium's operator has made nothing. `by`: who said, of its agent, that it has no
    session; "" = nobody did, and it may not have obeyed yet. No route is announced."""
    lag = 0.0 if by else LAG
    return NodeState(node, phase="", intended=None, lag=lag, engine_asked=by)


def _problems(config: NodeConfig, settings: Settings) -> list[str]:
    gone = sorted({p.config for p in config.peers if p.config and p.config not in settings})
    told = [f"CiliumBGPPeerConfig {name} does not exist: its peers get no session" for name in gone]
    return [*told, *([] if config.told or not config.peers else [UNTOLD])]


def _announced(peers: tuple[PeerState, ...]) -> int | None:
    """Over the sessions that are up; None unless one is, and each tells."""
    counts = [peer.announced for peer in peers if peer.session.established]
    known = [count for count in counts if count is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def _peer_state(peer: Peer, config: NodeConfig, settings: Settings) -> PeerState:
    of = settings.get(peer.config, DEFAULT)
    session = _session(peer, of, without_restart=of.restart_time is None and peer.config in (*settings, ""))
    before = config.kept.advertised.get(peer.key, {}) if config.withdrawn and config.kept else None
    said = peer.reported
    return PeerState(
        peer.key,
        peer.address,
        of.port,
        peer.asn,
        peer.local_asn,
        session,
        configured_restart_time=of.restart_time,
        configured_hold_time=of.hold_time,
        configured_keepalive_time=of.keepalive_time,
        intended=None,
        announced=None if said is None or not session.established else _left(said, of, before),
        instance=peer.instance,
        configured_notification=of.restart_time is not None,
    )


def _left(said: Reported, of: BGPPeerConfig, before: Mapping[str, int] | None) -> int | None:
    """How many routes the peer has, None = the counts do not tell. `before`: the counts when the node was
    told to withdraw, None = it was not told. A number above 0 may be one too low there."""
    left = 0
    for family, count in said.advertised.items():
        if of.restart_time is None or count == 0:
            left += count
        elif before is None or (count == 1 and before.get(family, 0) < 2):
            return None
        else:
            left += count - 1
    return left if said.advertised else None


def _session(peer: Peer, of: BGPPeerConfig, *, without_restart: bool) -> Session:
    """`without_restart`: its CiliumBGPPeerConfig is known, and offers no graceful restart."""
    said = peer.reported
    if said is None:
        return Session(peer.key, SessionState.UNKNOWN, gr_told=without_restart, end_of_rib=None)
    up = said.state is SessionState.ESTABLISHED
    exact = of.restart_time is None
    return Session(
        peer.key,
        said.state,
        since=said.established_at if up else 0.0,
        established_at=said.established_at if up else None,
        hold_time=said.hold_time if up else None,
        keepalive_time=said.keepalive_time if up else None,
        gr_told=without_restart,
        end_of_rib=None,
        advertised=_by_family(said.advertised) if exact else {},
        received=_by_family(said.received) if exact else {},
    )


def _by_family(counts: Mapping[str, int]) -> Mapping[Family, int]:
    return {Family.parse(family): count for family, count in counts.items()}

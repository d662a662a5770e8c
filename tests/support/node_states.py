"""BGPNodeStates as speakers write them, for tests that read them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bgpctl.core.model import IPV4, IPV6, GracefulRestart, Session, SessionState
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.state_document import to_document
from bgpctl.kube.paths import NODE_STATES

__all__ = ["NODE_STATES", "established", "peer", "session", "state", "withdrawn"]


def session(now: float, state: SessionState = SessionState.ESTABLISHED, **changes: Any) -> Session:
    """A session with graceful restart and both families, up for 150 s."""
    base = Session(
        peer="65001/192.0.2.1",
        state=state,
        since=now - 150,
        established_at=now - 150,
        hold_time=90,
        keepalive_time=30,
        families=(IPV4, IPV6),
        local_gr=GracefulRestart(120, False, True, ((IPV4, True),)),
        peer_gr=GracefulRestart(60, False, True, ((IPV4, True),)),
        advertised={IPV4: 4, IPV6: 2},
        received={IPV4: 1},
        end_of_rib=True,
    )
    return replace(base, **changes)


def peer(now: float, address: str = "192.0.2.1", port: int = 179, **changes: Any) -> PeerState:
    """One peer; `changes` are the session's."""
    return PeerState(
        f"65001/{address}", address, port, 65000, 65001, session(now, **changes), 120, 90, 30, 6, 6
    )


def state(node: str, now: float, *peers: PeerState, **changes: Any) -> NodeState:
    """A running speaker with a fresh heartbeat."""
    base = NodeState(
        node, "Running", now - 1, now - 160, selected_by="rack0", intended=6, announced=6, peers=peers
    )
    return replace(base, **changes)


def withdrawn(node: str, now: float, ago: float = 60.0, **changes: Any) -> NodeState:
    """A node that left `ago` seconds before `now`."""
    left = now - ago
    record = WithdrawnRecord("leave", left - 0.2, left, left, (WithdrawnPeer(peer(left), 6),))
    return state(node, now, phase="Withdrawn", selected_by="", withdrawn=record, **changes)


def established(node: str, now: float | None = None) -> dict[str, Any]:
    """The document of a node whose only session is up."""
    now = time.time() if now is None else now
    return to_document(state(node, now, peer(now)))

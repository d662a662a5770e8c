"""BGPNodeState (bgpctl.io/v1alpha1): what a speaker says about its node, as values and as the CRD's dict.

The speaker writes it, the CLI and the runbooks read it; both sides go through this file, so the wire shape
lives in one place. Times are RFC 3339 strings on the wire and epoch seconds here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from bgpctl.core.model import Family, GracefulRestart, LastError, Peer, Session, SessionState

GROUP = "bgpctl.io"
VERSION = "v1alpha1"
KIND = "BGPNodeState"
PLURAL = "bgpnodestates"

HEARTBEAT_SECONDS = 60.0
# A heartbeat may be late by a slow API server and a retry before the state is called stale.
STALE_AFTER_SECONDS = 150.0

PHASES = ("Starting", "Running", "Leaving", "Withdrawn", "Idle", "Stopped")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PeerState:
    """One peer: its definition, its session, and how many routes it should get. `instance` is the name of its
    BGP instance, "" when an older speaker wrote it."""

    name: str
    address: str
    port: int
    asn: int
    local_asn: int
    session: Session
    configured_restart_time: int | None = None
    configured_hold_time: int = 90
    configured_keepalive_time: int = 30
    intended: int = 0
    announced: int = 0
    instance: str = ""
    configured_notification: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawnPeer:
    """One peer of a withdrawal: who it was, what it had, and what was negotiated when we left. `flushed`: its
    withdraws were on the socket; False when it had no session or did not read them in time."""

    state: PeerState
    routes: int
    flushed: bool = True


@dataclass(frozen=True, slots=True)
class WithdrawnRecord:
    """The proof of a leave, from the node's side; it outlives the drain.

    `answers`: the value that the Node's annotation `bgpctl.io/leave` had when the speaker saw that it must
    leave, "" = it had none. `observed_at`: that instant. `sent_at`: every withdraw was on the socket. `closed_at`: Cease was sent to every peer. `shut_down_at`: the routes were announced with
    GRACEFUL_SHUTDOWN before (RFC 8326), None = they were not. A router's word is not in here.
    """

    reason: str
    observed_at: float
    sent_at: float
    closed_at: float
    peers: tuple[WithdrawnPeer, ...]
    shut_down_at: float | None = None
    answers: str = ""

    @property
    def routes(self) -> int:
        return sum(peer.routes for peer in self.peers)


@dataclass(frozen=True, slots=True)
class NodeState:
    """The whole status of one node's speaker. `selected_by` is the policy's name, "" when none selects;
    `selected_by_kind` its kind, "" while no form of it could be run yet. `engine_mode` says whether ExaBGP
    ends with its speaker (own) or not (detached, external); "" = an older speaker did not say.

    `soak`: for how many seconds a leave announces the routes with GRACEFUL_SHUTDOWN (RFC 8326); `soak_until`:
    it does so now, and when that ends by the speaker's clock.

    `observed_leave`: the value of the annotation `bgpctl.io/leave` on the Node that `phase` was decided from,
    as `observedGeneration` is for other kinds. All instants are the speaker's clock's, but `reported_at`: when
    the API server took this status, by *its* clock (0 = it did not say).
    """

    node: str
    phase: str = "Starting"
    heartbeat: float = 0.0
    started_at: float = 0.0
    speaker_version: str = ""
    engine_version: str = ""
    engine_restarts: int = 0
    engine_mode: str = ""
    selected_by: str = ""
    selected_by_kind: str = ""
    policy_problem: str = ""
    problems: tuple[str, ...] = ()
    intended: int = 0
    announced: int = 0
    peers: tuple[PeerState, ...] = ()
    withdrawn: WithdrawnRecord | None = None
    absent: Mapping[str, int] | None = None
    soak: float = 0.0
    soak_until: float | None = None
    observed_leave: str = ""
    reported_at: float = 0.0

    @property
    def last_seen(self) -> float:
        """The last word of the speaker: epoch seconds by the API server's clock where it tells, else by the
        speaker's own."""
        return self.reported_at or self.heartbeat

    def stale(self, now: float) -> bool:
        """Has the speaker stopped reporting? Then nothing in here may be shown as the present. `now` is epoch
        seconds by the API server's clock."""
        return now - self.last_seen > STALE_AFTER_SECONDS

    def by_server(self, instant: float) -> float:
        """An instant of the speaker's clock by the API server's: both clocks were read at the last write."""
        return instant + (self.last_seen - self.heartbeat)

    @property
    def in_service(self) -> bool:
        """A policy selected the node, and it had not left with its speaker."""
        return bool(self.selected_by) and self.phase != "Withdrawn"

    @property
    def established(self) -> int:
        return sum(peer.session.established for peer in self.peers)


# --- wire -------------------------------------------------------------------------------------------------


def timestamp(seconds: float | None) -> str | None:
    """Epoch seconds -> RFC 3339 with microseconds (Kubernetes MicroTime); None stays None."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """RFC 3339 -> epoch seconds; nothing gives 0."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def to_document(state: NodeState) -> Document:
    """The custom resource. Keys whose value is None are left out, as in every Kubernetes status."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": state.node},
        "status": _status(state),
    }


def _status(state: NodeState) -> Document:
    return _present(
        {
            "phase": state.phase,
            "heartbeatTime": timestamp(state.heartbeat),
            "startedAt": timestamp(state.started_at),
            "speakerVersion": state.speaker_version,
            "engineVersion": state.engine_version,
            "engineRestarts": state.engine_restarts,
            "engineMode": state.engine_mode or None,
            "observedLeave": state.observed_leave or None,
            "selectedBy": state.selected_by or None,
            "selectedByKind": state.selected_by_kind or None,
            "policyProblem": state.policy_problem or None,
            "problems": list(state.problems) or None,
            "sessions": f"{state.established}/{len(state.peers)}",
            "routes": {"intended": state.intended, "announced": state.announced},
            "absent": dict(state.absent) if state.absent else None,
            "gracefulShutdown": _soak(state),
            "peers": [_peer(peer) for peer in state.peers],
            "withdrawn": _withdrawn(state.withdrawn) if state.withdrawn else None,
        }
    )


def _soak(state: NodeState) -> Document | None:
    if not state.soak:
        return None
    return _present({"soakSeconds": state.soak, "untilTime": timestamp(state.soak_until)})


def _peer(peer: PeerState) -> Document:
    session = peer.session
    return _present(
        {
            "name": peer.name,
            "instance": peer.instance or None,
            "peerAddress": peer.address,
            "peerPort": peer.port,
            "peerASN": peer.asn,
            "localASN": peer.local_asn,
            "localAddress": str(session.local_address) if session.local_address else None,
            "state": str(session.state),
            "since": timestamp(session.since),
            "establishedTime": timestamp(session.established_at),
            "configured": _present(
                {
                    "holdTimeSeconds": peer.configured_hold_time,
                    "keepAliveTimeSeconds": peer.configured_keepalive_time,
                    "restartTimeSeconds": peer.configured_restart_time,
                    "gracefulNotification": peer.configured_notification or None,
                }
            ),
            "timers": _present(
                {
                    "appliedHoldTimeSeconds": session.hold_time,
                    "appliedKeepaliveSeconds": session.keepalive_time,
                }
            ),
            "gracefulRestart": _present(
                {
                    "local": _gr(session.local_gr),
                    "peer": _gr(session.peer_gr),
                    "longLivedSeconds": session.long_lived,
                }
            ),
            "families": [str(family) for family in session.families],
            "extendedNextHop": session.extended_next_hop or None,
            "routeCount": _counts(session),
            "intended": peer.intended,
            "announced": peer.announced,
            "pending": session.pending,
            "endOfRIBSent": session.end_of_rib,
            "flaps": session.flaps,
            "lastError": _error(session.last_error),
        }
    )


def _counts(session: Session) -> list[Document]:
    families = sorted(set(session.families) | set(session.advertised) | set(session.received))
    return [
        {
            "afi": family.afi,
            "safi": family.safi,
            "advertised": session.advertised.get(family, 0),
            "received": session.received.get(family, 0),
        }
        for family in families
        if session.established
    ]


def _gr(side: GracefulRestart | None) -> Document | None:
    if side is None:
        return None
    return {
        "restartTimeSeconds": side.restart_time,
        "restartState": side.restart_state,
        "notification": side.notification,
        "families": [{"family": str(family), "forwarding": bit} for family, bit in side.families],
    }


def _error(error: LastError | None) -> Document | None:
    if error is None:
        return None
    return _present(
        {
            "time": timestamp(error.time),
            "direction": error.direction,
            "code": error.code,
            "subcode": error.subcode,
            "text": error.text,
        }
    )


def _withdrawn(record: WithdrawnRecord) -> Document:
    return _present(
        {
            "reason": record.reason,
            "answers": record.answers or None,
            "observedTime": timestamp(record.observed_at),
            "gracefulShutdownTime": timestamp(record.shut_down_at),
            "sentTime": timestamp(record.sent_at),
            "closedTime": timestamp(record.closed_at),
            "routes": record.routes,
            "peers": [_withdrawn_peer(peer) for peer in record.peers],
        }
    )


def _withdrawn_peer(peer: WithdrawnPeer) -> Document:
    return {"routes": peer.routes, "flushed": peer.flushed, **_peer(peer.state)}


def _present(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None}


def from_document(document: Mapping[str, Any]) -> NodeState:
    """The custom resource -> values. Missing parts read as unknown; nothing raises on an old writer."""
    status = document.get("status") or {}
    routes = status.get("routes") or {}
    soak = status.get("gracefulShutdown") or {}
    return NodeState(
        node=document["metadata"]["name"],
        phase=status.get("phase", "Starting"),
        heartbeat=seconds(status.get("heartbeatTime")),
        started_at=seconds(status.get("startedAt")),
        speaker_version=status.get("speakerVersion", ""),
        engine_version=status.get("engineVersion", ""),
        engine_restarts=status.get("engineRestarts", 0),
        engine_mode=status.get("engineMode", ""),
        selected_by=status.get("selectedBy", ""),
        selected_by_kind=status.get("selectedByKind", ""),
        policy_problem=status.get("policyProblem", ""),
        problems=tuple(status.get("problems") or ()),
        intended=routes.get("intended", 0),
        announced=routes.get("announced", 0),
        peers=tuple(_read_peer(peer) for peer in status.get("peers") or ()),
        withdrawn=_read_withdrawn(status.get("withdrawn")),
        absent=status.get("absent"),
        soak=soak.get("soakSeconds", 0.0),
        soak_until=seconds(soak.get("untilTime")) or None,
        observed_leave=status.get("observedLeave", ""),
        reported_at=_written(document["metadata"].get("managedFields")),
    )


def _written(entries: Any) -> float:
    """When the status was written last, by the API server's clock (metadata.managedFields[].time)."""
    return max((seconds(entry.get("time")) for entry in entries or () if _of_status(entry)), default=0.0)


def _of_status(entry: Mapping[str, Any]) -> bool:
    return entry.get("subresource") == "status"


def _read_peer(peer: Mapping[str, Any]) -> PeerState:
    configured = peer.get("configured") or {}
    return PeerState(
        name=peer.get("name", ""),
        address=peer.get("peerAddress", ""),
        port=peer.get("peerPort", 179),
        asn=peer.get("peerASN", 0),
        local_asn=peer.get("localASN", 0),
        session=_read_session(peer),
        configured_restart_time=configured.get("restartTimeSeconds"),
        configured_hold_time=configured.get("holdTimeSeconds", 90),
        configured_keepalive_time=configured.get("keepAliveTimeSeconds", 30),
        configured_notification=configured.get("gracefulNotification", False),
        intended=peer.get("intended", 0),
        announced=peer.get("announced", 0),
        instance=peer.get("instance", ""),
    )


def _read_session(peer: Mapping[str, Any]) -> Session:
    timers = peer.get("timers") or {}
    graceful = peer.get("gracefulRestart") or {}
    counts = peer.get("routeCount") or ()
    local = peer.get("localAddress")
    return Session(
        peer=peer.get("name", ""),
        state=_state(peer.get("state")),
        since=seconds(peer.get("since")),
        established_at=seconds(peer.get("establishedTime")) or None,
        local_address=ip_address(local) if local else None,
        hold_time=timers.get("appliedHoldTimeSeconds"),
        keepalive_time=timers.get("appliedKeepaliveSeconds"),
        families=tuple(_family(text) for text in peer.get("families") or ()),
        extended_next_hop=peer.get("extendedNextHop", False),
        local_gr=_read_gr(graceful.get("local")),
        peer_gr=_read_gr(graceful.get("peer")),
        long_lived=graceful.get("longLivedSeconds"),
        advertised={Family(c["afi"], c["safi"]): c["advertised"] for c in counts},
        received={Family(c["afi"], c["safi"]): c["received"] for c in counts},
        pending=peer.get("pending", 0),
        end_of_rib=peer.get("endOfRIBSent", False),
        flaps=peer.get("flaps", 0),
        last_error=_read_error(peer.get("lastError")),
    )


def _state(text: str | None) -> SessionState:
    """A word that this version does not know is no reason to hide the rest."""
    return SessionState(text) if text in set(SessionState) else SessionState.UNKNOWN


def _family(text: str) -> Family:
    afi, _, safi = text.partition("/")
    return Family(afi, safi or "unicast")


def _read_gr(side: Mapping[str, Any] | None) -> GracefulRestart | None:
    if not side:
        return None
    return GracefulRestart(
        restart_time=side.get("restartTimeSeconds", 0),
        restart_state=side.get("restartState", False),
        notification=side.get("notification", False),
        families=tuple((_family(f["family"]), f["forwarding"]) for f in side.get("families") or ()),
    )


def _read_error(error: Mapping[str, Any] | None) -> LastError | None:
    if not error:
        return None
    return LastError(
        seconds(error.get("time")),
        error.get("direction", ""),
        error.get("text", ""),
        error.get("code"),
        error.get("subcode"),
    )


def _read_withdrawn(record: Mapping[str, Any] | None) -> WithdrawnRecord | None:
    if not record:
        return None
    return WithdrawnRecord(
        reason=record.get("reason", ""),
        observed_at=seconds(record.get("observedTime")),
        sent_at=seconds(record.get("sentTime")),
        closed_at=seconds(record.get("closedTime")),
        peers=tuple(_read_withdrawn_peer(peer) for peer in record.get("peers") or ()),
        shut_down_at=seconds(record.get("gracefulShutdownTime")) or None,
        answers=record.get("answers", ""),
    )


def _read_withdrawn_peer(peer: Mapping[str, Any]) -> WithdrawnPeer:
    return WithdrawnPeer(_read_peer(peer), peer.get("routes", 0), peer.get("flushed", True))


def describe_peer(peer: Peer, session: Session, intended: int, announced: int) -> PeerState:
    """A peer's definition and what is seen of it, as one PeerState."""
    return PeerState(
        name=peer.name,
        address=str(peer.address),
        port=peer.port,
        asn=peer.asn,
        local_asn=peer.local_asn,
        session=session,
        configured_restart_time=peer.restart_time,
        configured_hold_time=peer.hold_time,
        configured_keepalive_time=peer.keepalive_time,
        configured_notification=peer.graceful_notification,
        intended=intended,
        announced=announced,
        instance=peer.instance,
    )

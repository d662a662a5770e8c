"""Reads BGPNodeState documents, which whoever holds a speaker's credential may have written: a typed
NodeState, or one named fault that costs this node and no other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bgpctl.core.model import Family, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import (
    MOST_LOCAL_PEERS,
    MOST_LOCALS,
    LocalAddresses,
    NodeState,
    PeerState,
    WithdrawnPeer,
    WithdrawnRecord,
)

ADDRESS = "an IP address; only a link-local one has a zone, which is an interface"
PORT = Range(0, 65535)
ASN = Range(0, 2**32 - 1)
SECONDS = Range(0, 2**31 - 1)
MOST_SECONDS = float(SECONDS.high)


def from_document(document: Any) -> NodeState:
    """The custom resource -> values. Missing parts read as unknown: an older writer leaves some out. Raises
    Unreadable for what no writer would put in."""
    read = Foreign.of(document)
    metadata, status = read.child("metadata"), read.child("status")
    routes, soak = status.child("routes"), status.child("gracefulShutdown")
    return NodeState(
        node=metadata.required("name"),
        phase=status.text("phase", "Starting"),
        heartbeat=status.instant("heartbeatTime"),
        started_at=status.instant("startedAt"),
        speaker_version=status.text("speakerVersion"),
        engine_version=status.text("engineVersion"),
        engine_restarts=status.integer("engineRestarts"),
        engine_mode=status.text("engineMode"),
        selected_by=status.text("selectedBy"),
        selected_by_kind=status.text("selectedByKind"),
        policy_problem=status.text("policyProblem"),
        problems=status.texts("problems"),
        intended=routes.integer("intended"),
        announced=routes.integer("announced"),
        peers=tuple(_peer(peer) for peer in status.children("peers")),
        withdrawn=_withdrawn(status.child("withdrawn")),
        unwithdrawn=tuple(_peer(peer) for peer in status.children("unwithdrawn")),
        absent={why: counts.integer(why) for counts, why in status.each("absent")} or None,
        soak=soak.number("soakSeconds", most=MOST_SECONDS),
        soak_until=soak.instant("untilTime") or None,
        locals=tuple(_locals(one) for one in status.children("localAddresses", MOST_LOCAL_PEERS)),
        observed_leave=status.text("observedLeave"),
        reported_at=_written(metadata),
    )


def read_states(documents: Iterable[Any]) -> tuple[NodeState, ...]:
    """All of them; one that cannot be read is a node of which only that is known."""
    return tuple(_or_unreadable(document) for document in documents)


def _or_unreadable(document: Any) -> NodeState:
    try:
        return from_document(document)
    except Unreadable as error:
        name = name_of(document) if isinstance(document, dict) else ""
        return NodeState(name or "(unnamed)", unreadable=error.message)


def _written(metadata: Foreign) -> float:
    """When the status was written last, by the API server's clock (metadata.managedFields[].time)."""
    entries = metadata.children("managedFields")
    return max((e.instant("time") for e in entries if e.text("subresource") == "status"), default=0.0)


def _peer(peer: Foreign) -> PeerState:
    configured = peer.child("configured")
    address = peer.parsed("peerAddress", parse_zoned, ADDRESS)
    return PeerState(
        name=peer.text("name"),
        address=str(address or ""),
        port=peer.integer("peerPort", 179, PORT),
        asn=peer.integer("peerASN", limits=ASN),
        local_asn=peer.integer("localASN", limits=ASN),
        session=_session(peer),
        configured_restart_time=configured.optional_integer("restartTimeSeconds", SECONDS),
        configured_hold_time=configured.integer("holdTimeSeconds", 90, SECONDS),
        configured_keepalive_time=configured.integer("keepAliveTimeSeconds", 30, SECONDS),
        configured_notification=configured.flag("gracefulNotification"),
        intended=peer.integer("intended"),
        announced=peer.integer("announced"),
        instance=peer.text("instance"),
    )


def _locals(one: Foreign) -> LocalAddresses:
    texts = one.texts("addresses", MOST_LOCALS, 64)
    try:
        addresses = tuple(str(parse_zoned(text)) for text in texts)
    except ValueError:
        one.refuse("addresses", ADDRESS)
    peer = one.parsed("peerAddress", parse_zoned, ADDRESS)
    return LocalAddresses(str(peer or ""), one.integer("peerPort", 179, PORT), addresses)


def _session(peer: Foreign) -> Session:
    timers, graceful = peer.child("timers"), peer.child("gracefulRestart")
    counts = [(_counted(count), count) for count in peer.children("routeCount")]
    return Session(
        peer=peer.text("name"),
        state=_state(peer.text("state")),
        since=peer.instant("since"),
        established_at=peer.instant("establishedTime") or None,
        local_address=peer.parsed("localAddress", parse_zoned, ADDRESS),
        hold_time=timers.optional_integer("appliedHoldTimeSeconds", SECONDS),
        keepalive_time=timers.optional_integer("appliedKeepaliveSeconds", SECONDS),
        families=tuple(_family(text) for text in peer.texts("families")),
        extended_next_hop=peer.flag("extendedNextHop"),
        local_gr=_graceful_restart(graceful.child("local")),
        peer_gr=_graceful_restart(graceful.child("peer")),
        long_lived=graceful.optional_integer("longLivedSeconds", SECONDS),
        advertised={family: count.integer("advertised") for family, count in counts},
        received={family: count.integer("received") for family, count in counts},
        pending=peer.integer("pending"),
        end_of_rib=peer.flag("endOfRIBSent"),
        flaps=peer.integer("flaps"),
        last_error=_error(peer.child("lastError")),
    )


def _state(text: str) -> SessionState:
    """A word that this version does not know is no reason to hide the rest."""
    return SessionState(text) if text in set(SessionState) else SessionState.UNKNOWN


def _counted(count: Foreign) -> Family:
    return Family(count.required("afi"), count.required("safi"))


def _family(text: str) -> Family:
    afi, _, safi = text.partition("/")
    return Family(afi, safi or "unicast")


def _graceful_restart(side: Foreign) -> GracefulRestart | None:
    if not side.value:
        return None
    return GracefulRestart(
        restart_time=side.integer("restartTimeSeconds", limits=SECONDS),
        restart_state=side.flag("restartState"),
        notification=side.flag("notification"),
        families=tuple(_forwarding(family) for family in side.children("families")),
    )


def _forwarding(family: Foreign) -> tuple[Family, bool]:
    return _family(family.required("family")), family.flag("forwarding")


def _error(error: Foreign) -> LastError | None:
    if not error.value:
        return None
    return LastError(
        error.instant("time"),
        error.text("direction"),
        error.text("text"),
        error.optional_integer("code"),
        error.optional_integer("subcode"),
    )


def _withdrawn(record: Foreign) -> WithdrawnRecord | None:
    if not record.value:
        return None
    return WithdrawnRecord(
        reason=record.text("reason"),
        observed_at=record.instant("observedTime"),
        sent_at=record.instant("sentTime"),
        closed_at=record.instant("closedTime"),
        peers=tuple(_withdrawn_peer(peer) for peer in record.children("peers")),
        shut_down_at=record.instant("gracefulShutdownTime") or None,
        answers=record.text("answers"),
    )


def _withdrawn_peer(peer: Foreign) -> WithdrawnPeer:
    return WithdrawnPeer(_peer(peer), peer.integer("routes"), peer.flag("flushed", True))

"""BGPNodeState as a document: one table of fields per object of its CRD, read both ways.

Whoever holds a speaker's credential may have written one: it reads as a typed NodeState, or as one fault
that is named and costs this node and no other. tests/unit/test_state_document.py compares them with the CRD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bgpctl.core.model import (
    Family,
    FamilyCount,
    Forwarding,
    GracefulRestart,
    LastError,
    Session,
    SessionState,
)
from bgpctl.core.reading import kinds
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.kinds import FLAG, REQUIRED_TEXT, SENTENCE, TEXT
from bgpctl.core.reading.table import Field, Group, Table, each, nested, under
from bgpctl.core.state import (
    GROUP,
    KIND,
    MOST_LOCAL_PEERS,
    MOST_LOCALS,
    MOST_SENTENCES,
    MOST_WRITES,
    VERSION,
    LocalAddresses,
    NodeState,
    PeerState,
    WithdrawnPeer,
    WithdrawnRecord,
    timestamp,
)

_ADDRESS_RULE = "an IP address; only a link-local one has a zone, which is an interface"
_MOST_SECONDS = 2**31 - 1

# --- kinds --------------------------------------------------------------------------------------------------

COUNT = kinds.integer()
PORT = kinds.integer(Range(0, 65535))
ASN = kinds.integer(Range(0, 2**32 - 1), format="int64")
SECONDS = kinds.integer(Range(0, _MOST_SECONDS))
WRITES = kinds.integer(Range(0, MOST_WRITES), format="int64")
MAYBE_COUNT = kinds.integer(default=None)
MAYBE_SECONDS = SECONDS._replace(default=None)
INSTANT = kinds.Kind({**kinds.STRING, "format": "date-time"}, Foreign.instant, timestamp, 0.0)
"""RFC 3339 <-> epoch seconds; 0 is no instant, and not written."""
MAYBE_INSTANT = INSTANT._replace(read=lambda foreign, name: foreign.instant(name) or None, default=None)
ADDRESS = kinds.parsed(parse_zoned, _ADDRESS_RULE)
ADDRESS_TEXT = kinds.as_text(ADDRESS)

_STATES = {str(state): state for state in SessionState}


def _state(foreign: Foreign, name: str) -> SessionState:
    """A word that this version does not know is no reason to hide the rest."""
    return _STATES.get(foreign.text(name), SessionState.UNKNOWN)


def _addresses(foreign: Foreign, name: str) -> tuple[str, ...]:
    try:
        return tuple(str(parse_zoned(text)) for text in foreign.texts(name, MOST_LOCALS, 64))
    except ValueError:
        foreign.refuse(name, _ADDRESS_RULE)


def _absences(foreign: Foreign, name: str) -> Mapping[str, int]:
    return {why: counts.integer(why) for counts, why in foreign.each(name)}


def _session(counts: Iterable[FamilyCount], **attributes: Any) -> Session:
    counted = [(Family(count.afi, count.safi), count) for count in counts]
    advertised = {family: count.advertised for family, count in counted}
    received = {family: count.received for family, count in counted}
    return Session(advertised=advertised, received=received, **attributes)


FAMILY = kinds.Kind(kinds.STRING, lambda foreign, name: Family.parse(foreign.required(name)), str)
STATE = kinds.Kind(kinds.STRING, _state, str)
ABSENCES = kinds.Kind({"type": "object", "additionalProperties": COUNT.schema}, _absences, dict, None)

# --- tables -------------------------------------------------------------------------------------------------

COUNTS = Table(
    FamilyCount,
    Field("afi", "afi", REQUIRED_TEXT),
    Field("safi", "safi", REQUIRED_TEXT),
    Field("advertised", "advertised", COUNT),
    Field("received", "received", COUNT),
)

FORWARDING = Table(
    Forwarding,
    Field("family", "family", FAMILY),
    Field("forwarding", "forwarding", FLAG),
)

GRACEFUL_RESTART = Table(
    GracefulRestart,
    Field("restartTimeSeconds", "restart_time", SECONDS),
    Field("restartState", "restart_state", FLAG),
    Field("notification", "notification", FLAG),
    Field("families", "families", each(FORWARDING, row=Forwarding._make)),
)

LAST_ERROR = Table(
    LastError,
    Field("time", "time", INSTANT),
    Field("direction", "direction", TEXT),
    Field("code", "code", MAYBE_COUNT),
    Field("subcode", "subcode", MAYBE_COUNT),
    Field("text", "text", SENTENCE),
)

PEER = Table(
    PeerState,
    Field("name", "name", TEXT),
    Field("name", "session.peer", TEXT, written=False),
    Field("instance", "instance", TEXT, terse=True),
    Field("peerAddress", "address", ADDRESS_TEXT),
    Field("peerPort", "port", PORT, default=179),
    Field("peerASN", "asn", ASN),
    Field("localASN", "local_asn", ASN),
    Field("localAddress", "session.local_address", ADDRESS),
    Field("state", "session.state", STATE),
    Field("since", "session.since", INSTANT),
    Field("establishedTime", "session.established_at", MAYBE_INSTANT),
    Group(
        "configured",
        Field("holdTimeSeconds", "configured_hold_time", SECONDS, default=90),
        Field("keepAliveTimeSeconds", "configured_keepalive_time", SECONDS, default=30),
        Field("restartTimeSeconds", "configured_restart_time", MAYBE_SECONDS),
        Field("gracefulNotification", "configured_notification", FLAG, terse=True),
    ),
    Group(
        "timers",
        Field("appliedHoldTimeSeconds", "session.hold_time", MAYBE_SECONDS),
        Field("appliedKeepaliveSeconds", "session.keepalive_time", MAYBE_SECONDS),
    ),
    Group(
        "gracefulRestart",
        Field("local", "session.local_gr", nested(GRACEFUL_RESTART)),
        Field("peer", "session.peer_gr", nested(GRACEFUL_RESTART)),
        Field("longLivedSeconds", "session.long_lived", MAYBE_SECONDS),
    ),
    Field("families", "session.families", kinds.each_text(Family.parse)),
    Field("extendedNextHop", "session.extended_next_hop", FLAG, terse=True),
    Field("routeCount", "session.counts", each(COUNTS)),
    Field("intended", "intended", COUNT),
    Field("announced", "announced", COUNT),
    Field("pending", "session.pending", COUNT),
    Field("endOfRIBSent", "session.end_of_rib", FLAG),
    Field("flaps", "session.flaps", COUNT),
    Field("lastError", "session.last_error", nested(LAST_ERROR)),
    parts={"session": _session},
)

WITHDRAWN_PEER = Table(
    WithdrawnPeer,
    Field("routes", "routes", COUNT),
    Field("flushed", "flushed", FLAG, default=True),
    *under("state", PEER.fields),
    parts={"state.session": _session, "state": PeerState},
)

WITHDRAWN = Table(
    WithdrawnRecord,
    Field("reason", "reason", SENTENCE),
    Field("answers", "answers", TEXT, terse=True),
    Field("speakerUID", "uid", TEXT, terse=True),
    Field("observedTime", "observed_at", INSTANT),
    Field("gracefulShutdownTime", "shut_down_at", MAYBE_INSTANT),
    Field("sentTime", "sent_at", INSTANT),
    Field("closedTime", "closed_at", INSTANT),
    Field("routes", "routes", COUNT, read=False),
    Field("peers", "peers", each(WITHDRAWN_PEER)),
)

LOCALS = Table(
    LocalAddresses,
    Field("peerAddress", "peer", ADDRESS_TEXT),
    Field("peerPort", "port", PORT, default=179),
    Field("addresses", "addresses", kinds.Kind(kinds.array(kinds.STRING), _addresses, list, ())),
)

STATUS: Table[dict[str, Any]] = Table(
    dict,
    Field("phase", "phase", TEXT, default="Starting"),
    Field("heartbeatTime", "heartbeat", INSTANT),
    Field("startedAt", "started_at", INSTANT),
    Field("speakerUID", "uid", TEXT, terse=True),
    Field("sequence", "sequence", WRITES, terse=True),
    Field("speakerVersion", "speaker_version", TEXT),
    Field("engineVersion", "engine_version", TEXT),
    Field("engineRestarts", "engine_restarts", COUNT),
    Field("engineMode", "engine_mode", TEXT, terse=True),
    Field("observedLeave", "observed_leave", TEXT, terse=True),
    Field("selectedBy", "selected_by", TEXT, terse=True),
    Field("selectedByKind", "selected_by_kind", TEXT, terse=True),
    Field("policyProblem", "policy_problem", SENTENCE, terse=True),
    Field("problems", "problems", kinds.texts(MOST_SENTENCES), terse=True),
    Field("sessions", "sessions", TEXT, read=False),
    Group(
        "routes",
        Field("intended", "intended", COUNT),
        Field("announced", "announced", COUNT),
    ),
    Field("absent", "absent", ABSENCES, terse=True),
    Group(
        "gracefulShutdown",
        Field("soakSeconds", "soak", kinds.number(float(_MOST_SECONDS)), terse=True),
        Field("untilTime", "soak_until", MAYBE_INSTANT),
        needs="soakSeconds",
    ),
    Field("peers", "peers", each(PEER)),
    Field("withdrawn", "withdrawn", nested(WITHDRAWN)),
    Field("localAddresses", "locals", each(LOCALS, MOST_LOCAL_PEERS), terse=True),
    Field("unwithdrawn", "unwithdrawn", each(PEER), terse=True),
)

# --- documents ----------------------------------------------------------------------------------------------


def to_document(state: NodeState) -> kinds.Document:
    """The custom resource. What is unknown is left out, as in every Kubernetes status."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": state.node},
        "status": STATUS.write(state),
    }


def from_document(document: Any) -> NodeState:
    """The custom resource -> values. Missing parts read as unknown: an older writer leaves some out. Raises
    Unreadable for what no writer would put in."""
    read = Foreign.of(document)
    metadata = read.child("metadata")
    node = metadata.required("name")
    return NodeState(node, **STATUS.read(read.child("status")), reported_at=_written(metadata))


def read_states(
    documents: Iterable[Any], read: Callable[[Any], NodeState] = from_document
) -> tuple[NodeState, ...]:
    """All of them; one that cannot be read is a node of which only that is known. `read`: `from_document`,
    or what remembers its answers."""
    return tuple(read_state(document, read) for document in documents)


def read_state(document: Any, read: Callable[[Any], NodeState] = from_document) -> NodeState:
    """One of them."""
    try:
        return read(document)
    except Unreadable as error:
        name = name_of(document) if isinstance(document, dict) else ""
        return NodeState(name or "(unnamed)", unreadable=error.message)


def _written(metadata: Foreign) -> float:
    """When the status was written last, by the API server's clock (metadata.managedFields[].time)."""
    entries = metadata.children("managedFields")
    return max((e.instant("time") for e in entries if e.text("subresource") == "status"), default=0.0)

"""NodeState and the loop's measures -> the Prometheus text format. Pure: the HTTP server only serves it.

Names and labels of Cilium's control plane (cilium.md §4.4) with its prefix, so that dashboards carry over;
what it has no name for begins with `bgpctl_`. Our reconcile is one per node, not one per instance, so its
metrics have no `instance_name`. No label holds a router's free text: every word would be a new time series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf

from bgpctl.core.intent.damping import DAMPED
from bgpctl.core.model import GracefulRestart
from bgpctl.core.state import PHASES, NodeState, PeerState
from bgpctl.speaker.counters import Counters, Histogram

PREFIX = "cilium_bgp_control_plane"
OWN = "bgpctl"

Sample = tuple[dict[str, str], float]


def render(
    state: NodeState,
    counters: Counters,
    now: float,
    told_at: float | None = None,
    run: tuple[str, float] | None = None,
) -> str:
    """The whole exposition. `now` is the epoch second that uptimes are counted to. `told_at`: when the state
    was written last where others read it, None = it never was; `run`: a run of this node that is not done,
    and when it began."""
    peers = state.peers
    return "".join(
        (
            *_sessions(peers),
            *_last(peers, now),
            *_timers(peers),
            *_node(state, counters),
            *_told(told_at),
            *_run(run),
        )
    )


def _told(told_at: float | None) -> Iterator[str]:
    yield from _gauge(
        f"{OWN}_state_written_timestamp_seconds",
        "When the node's state was written last where others read it; absent until it was",
        [({}, told_at)] if told_at is not None else [],
    )


def _run(run: tuple[str, float] | None) -> Iterator[str]:
    yield from _gauge(
        f"{OWN}_unfinished_run_start_timestamp_seconds",
        "When the run on this node began that is not done; absent when there is none",
        [({"command": run[0]}, run[1])] if run else [],
    )


def _sessions(peers: tuple[PeerState, ...]) -> Iterator[str]:
    """State and routes of every session."""
    yield from _gauge(
        f"{PREFIX}_session_state",
        "1 when the session with the peer is Established, else 0",
        ((_peer(p), float(p.session.established)) for p in peers),
    )
    yield from _gauge(
        f"{PREFIX}_advertised_routes", "Routes advertised to the peer", _counts(peers, "advertised")
    )
    yield from _gauge(
        f"{PREFIX}_received_routes", "Routes received from the peer", _counts(peers, "received")
    )
    yield from _gauge(
        f"{OWN}_intended_routes",
        "Routes that should be announced to the peer",
        ((_peer(p), float(p.intended or 0)) for p in peers),
    )
    yield from _gauge(
        f"{OWN}_announced_routes",
        "Routes given to the engine for the peer",
        ((_peer(p), float(p.announced or 0)) for p in peers),
    )
    yield from _gauge(
        f"{OWN}_pending_routes",
        "Routes that are not on the socket to the peer yet",
        ((_peer(p), float(p.session.pending)) for p in peers),
    )


def _last(peers: tuple[PeerState, ...], now: float) -> Iterator[str]:
    """Since when the session is up, how often it was lost, and what ended it last."""
    yield from _gauge(
        f"{OWN}_session_uptime_seconds",
        "How long the session has been Established; absent while it is not",
        (
            (_peer(p), max(0.0, now - p.session.established_at))
            for p in peers
            if p.session.established and p.session.established_at
        ),
    )
    yield from _family(
        f"{OWN}_session_flaps_total",
        "counter",
        "Times the session left Established",
        ((_peer(p), float(p.session.flaps)) for p in peers),
    )
    yield from _gauge(
        f"{OWN}_session_last_error_info",
        "What ended the session last: a NOTIFICATION with its code and subcode (RFC 4271 4.5), or empty",
        (({**_peer(p), **_error(p)}, 1.0) for p in peers if p.session.last_error),
    )
    yield from _gauge(
        f"{OWN}_session_last_error_timestamp_seconds",
        "When that was",
        ((_peer(p), p.session.last_error.time) for p in peers if p.session.last_error),
    )


def _error(peer: PeerState) -> dict[str, str]:
    error = peer.session.last_error
    if error is None:
        return {}
    code, subcode = ("" if n is None else str(n) for n in (error.code, error.subcode))
    return {"direction": error.direction, "code": code, "subcode": subcode}


def _timers(peers: tuple[PeerState, ...]) -> Iterator[str]:
    """What the two OPENs agreed on; absent until the session was Established once."""
    yield from _gauge(
        f"{OWN}_session_hold_time_seconds",
        "The negotiated hold time",
        ((_peer(p), float(p.session.hold_time)) for p in peers if p.session.hold_time is not None),
    )
    yield from _gauge(
        f"{OWN}_session_keepalive_time_seconds",
        "The negotiated keepalive interval",
        ((_peer(p), float(p.session.keepalive_time)) for p in peers if p.session.keepalive_time is not None),
    )
    yield from _gauge(
        f"{OWN}_session_restart_time_seconds",
        "The restart time in each side's OPEN (RFC 4724); graceful restart is negotiated when both are there",
        (
            ({**_peer(p), "side": side}, float(capability.restart_time))
            for p in peers
            for side, capability in _sides(p)
            if capability is not None
        ),
    )


def _sides(peer: PeerState) -> tuple[tuple[str, GracefulRestart | None], ...]:
    return ("local", peer.session.local_gr), ("peer", peer.session.peer_gr)


def _node(state: NodeState, counters: Counters) -> Iterator[str]:
    """The speaker itself."""
    yield from _family(
        f"{PREFIX}_reconcile_errors_total", "counter", "Failed reconciles", [({}, counters.reconcile_errors)]
    )
    yield from _histogram(
        f"{PREFIX}_reconcile_run_duration_seconds", "Time that one reconcile took", [({}, counters.runs)]
    )
    yield from _histogram(
        f"{OWN}_change_to_update_seconds",
        "From a Kubernetes change to the engine's word that its routes went out",
        (({"kind": kind}, histogram) for kind, histogram in counters.changes.items()),
    )
    yield from _gauge(
        f"{OWN}_policy_invalid",
        "1 while the policy of this node is invalid and its last good form is in force",
        [({}, float(bool(state.policy_problem)))],
    )
    yield from _gauge(
        f"{OWN}_problems", "Problems that the node's state names", [({}, float(len(state.problems)))]
    )
    yield from _gauge(
        f"{OWN}_absent_routes",
        "Possible routes that are not announced, by reason; damped: held back because it flaps",
        (({"reason": r}, float(n)) for r, n in sorted({DAMPED: 0, **(state.absent or {})}.items())),
    )
    yield from _gauge(
        f"{OWN}_phase",
        "1 for the phase that the speaker is in",
        (({"phase": phase}, float(phase == state.phase)) for phase in PHASES),
    )
    yield from _gauge(
        f"{OWN}_start_time_seconds",
        "When the speaker started, in seconds since 1970",
        [({}, state.started_at)],
    )
    yield from _family(
        f"{OWN}_engine_restarts_total",
        "counter",
        "Times ExaBGP was replaced",
        [({}, float(state.engine_restarts))],
    )


def _counts(peers: Iterable[PeerState], which: str) -> Iterator[Sample]:
    for peer in peers:
        for family, count in getattr(peer.session, which).items():
            yield {**_peer(peer), "afi": family.afi, "safi": family.safi}, float(count)


def _peer(peer: PeerState) -> dict[str, str]:
    address = f"[{peer.address}]" if ":" in peer.address else peer.address
    return {
        "instance_name": peer.instance or str(peer.local_asn),
        "local_asn": str(peer.local_asn),
        "neighbor": f"{address}:{peer.port}",
        "neighbor_asn": str(peer.asn),
    }


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield from _family(name, "gauge", text, samples)


def _histogram(name: str, text: str, histograms: Iterable[tuple[dict[str, str], Histogram]]) -> Iterator[str]:
    yield f"# HELP {name} {text}.\n# TYPE {name} histogram\n"
    for labels, histogram in histograms:
        number = 0
        for bound, number in histogram.cumulative():
            le = "+Inf" if bound == inf else repr(bound)
            yield _sample(f"{name}_bucket", {**labels, "le": le}, number)
        yield _sample(f"{name}_sum", labels, histogram.total)
        yield _sample(f"{name}_count", labels, number)


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}.\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(content)}"' for key, content in labels.items())
    return f"{name}{{{inside}}} {_number(value)}\n" if inside else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    """A label's value in the text format: backslash, quote and newline are escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """All digits: a counter of 1234567 must not come out as 1.23457e+06."""
    return str(int(value)) if value == int(value) else repr(value)

"""NodeState -> the Prometheus text format. Names and labels of Cilium's control plane (cilium.md §4.4), so
that dashboards carry over. Pure: the HTTP server only serves what this returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bgpctl.core.nodestate import PHASES, NodeState, PeerState

PREFIX = "cilium_bgp_control_plane"
OWN = "bgpctl"

Sample = tuple[dict[str, str], float]


def render(state: NodeState, reconciles: int, errors: int, seconds: float) -> str:
    """The whole exposition. `seconds` is the total time spent in reconciles."""
    return "".join(_lines(state, reconciles, errors, seconds))


def _lines(state: NodeState, reconciles: int, errors: int, seconds: float) -> Iterator[str]:
    peers = state.peers
    yield from _family(
        f"{PREFIX}_session_state",
        "gauge",
        "1 when the session with the peer is Established, else 0",
        ((_peer(p), float(p.session.established)) for p in peers),
    )
    yield from _family(
        f"{PREFIX}_advertised_routes", "gauge", "Routes advertised to the peer", _counts(peers, "advertised")
    )
    yield from _family(
        f"{PREFIX}_received_routes", "gauge", "Routes received from the peer", _counts(peers, "received")
    )
    yield from _family(f"{PREFIX}_reconcile_errors_total", "counter", "Failed reconciles", [({}, errors)])
    yield from _family(
        f"{OWN}_session_flaps_total",
        "counter",
        "Times the session left Established",
        ((_peer(p), float(p.session.flaps)) for p in peers),
    )
    yield from _family(
        f"{OWN}_intended_routes",
        "gauge",
        "Routes that should be announced to the peer",
        ((_peer(p), float(p.intended)) for p in peers),
    )
    yield from _family(
        f"{OWN}_announced_routes",
        "gauge",
        "Routes given to the engine for the peer",
        ((_peer(p), float(p.announced)) for p in peers),
    )
    yield from _family(
        f"{OWN}_policy_invalid",
        "gauge",
        "1 while the policy of this node is invalid and its last good form is in force",
        [({}, float(bool(state.policy_problem)))],
    )
    yield from _family(
        f"{OWN}_problems", "gauge", "Problems that the node's state names", [({}, float(len(state.problems)))]
    )
    yield from _family(
        f"{OWN}_phase",
        "gauge",
        "1 for the phase that the speaker is in",
        (({"phase": phase}, float(phase == state.phase)) for phase in PHASES),
    )
    yield from _family(
        f"{OWN}_engine_restarts_total",
        "counter",
        "Times ExaBGP was replaced",
        [({}, float(state.engine_restarts))],
    )
    yield from _family(f"{OWN}_reconciles_total", "counter", "Reconciles", [({}, float(reconciles))])
    yield from _family(f"{OWN}_reconcile_seconds_total", "counter", "Time in reconciles", [({}, seconds)])


def _counts(peers: Iterable[PeerState], which: str) -> Iterator[Sample]:
    for peer in peers:
        for family, count in getattr(peer.session, which).items():
            yield {**_peer(peer), "afi": family.afi, "safi": family.safi}, float(count)


def _peer(peer: PeerState) -> dict[str, str]:
    address = f"[{peer.address}]" if ":" in peer.address else peer.address
    return {
        "instance_name": str(peer.local_asn),
        "local_asn": str(peer.local_asn),
        "neighbor": f"{address}:{peer.port}",
        "neighbor_asn": str(peer.asn),
    }


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}.\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(content)}"' for key, content in labels.items())
        yield f"{name}{{{inside}}} {_number(value)}\n" if inside else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    """A label's value in the text format: backslash, quote and newline are escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """All digits: a counter of 1234567 must not come out as 1.23457e+06."""
    return str(int(value)) if value == int(value) else repr(value)

"""The exposition, read back by a parser that knows nothing of how it was written."""

from __future__ import annotations

import re

import pytest

from bgpctl.core.model import IPV4, IPV6, Session, SessionState
from bgpctl.core.nodestate import PHASES, NodeState, PeerState
from bgpctl.speaker import metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse(text: str) -> tuple[Samples, dict[str, str]]:
    """The samples and each family's type. Fails on what Prometheus would refuse."""
    samples: Samples = {}
    types: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} has two families"
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = _LINE.fullmatch(line)
            assert match, line
            assert match[1] in types, f"{match[1]} comes before its TYPE"
            key = match[1], labels(match[2] or "")
            assert key not in samples, f"{key} twice"
            samples[key] = float(match[3])
    return samples, types


def labels(text: str) -> frozenset[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _LABEL.match(text, at)
        assert match, f"no label at {text[at:]!r}"
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        found.append((match[1], value))
        at = match.end()
    return frozenset(found)


def peer(name: str = "65001/192.0.2.1", **session: object) -> PeerState:
    address = name.partition("/")[2]
    fields = {"state": SessionState.ESTABLISHED, "advertised": {IPV4: 3, IPV6: 2}, "received": {IPV4: 1}}
    made = Session(name, **{**fields, **session})  # type: ignore[arg-type]
    return PeerState(name, address, 1790, 65000, 65001, made, intended=5, announced=5)


def value(samples: Samples, name: str, **wanted: str) -> float:
    found = [v for (n, have), v in samples.items() if n == name and set(wanted.items()) <= have]
    assert len(found) == 1, (name, wanted, found)
    return found[0]


def test_sessions_and_routes() -> None:
    down = peer("65001/2001:db8::1", state=SessionState.ACTIVE, advertised={}, received={}, flaps=4)
    state = NodeState("n", "Running", peers=(peer(), down), engine_restarts=2)
    samples, types = parse(metrics.render(state, 7, 1, 0.25))
    prefix = "cilium_bgp_control_plane"
    assert value(samples, f"{prefix}_session_state", neighbor="192.0.2.1:1790") == 1
    assert value(samples, f"{prefix}_session_state", neighbor="[2001:db8::1]:1790") == 0
    assert value(samples, f"{prefix}_advertised_routes", afi="ipv4", safi="unicast") == 3
    assert value(samples, f"{prefix}_advertised_routes", afi="ipv6", neighbor_asn="65000") == 2
    assert value(samples, f"{prefix}_received_routes", afi="ipv4", local_asn="65001") == 1
    assert value(samples, f"{prefix}_reconcile_errors_total") == 1
    assert value(samples, "bgpctl_session_flaps_total", neighbor="[2001:db8::1]:1790") == 4
    assert value(samples, "bgpctl_intended_routes", neighbor="192.0.2.1:1790") == 5
    assert value(samples, "bgpctl_engine_restarts_total") == 2
    assert value(samples, "bgpctl_reconciles_total") == 7
    assert value(samples, "bgpctl_reconcile_seconds_total") == 0.25
    assert all((kind == "counter") == name.endswith("_total") for name, kind in types.items())


def test_a_speaker_without_anything_has_metrics() -> None:
    samples, _ = parse(metrics.render(NodeState("n"), 0, 0, 0.0))
    assert value(samples, "bgpctl_policy_invalid") == 0
    assert value(samples, "bgpctl_problems") == 0


@pytest.mark.parametrize("phase", PHASES)
def test_exactly_one_phase(phase: str) -> None:
    samples, _ = parse(metrics.render(NodeState("n", phase), 0, 0, 0.0))
    on = [dict(have)["phase"] for (name, have), v in samples.items() if name == "bgpctl_phase" and v]
    assert on == [phase]


def test_an_invalid_policy_can_be_alerted_on() -> None:
    state = NodeState("n", policy_problem="bad", problems=("bad", "worse"))
    samples, _ = parse(metrics.render(state, 0, 0, 0.0))
    assert value(samples, "bgpctl_policy_invalid") == 1
    assert value(samples, "bgpctl_problems") == 2


def test_large_counters_keep_their_digits() -> None:
    text = metrics.render(NodeState("n"), 123_456_789, 0, 98765.4321)
    assert "bgpctl_reconciles_total 123456789\n" in text
    assert "bgpctl_reconcile_seconds_total 98765.4321\n" in text


@pytest.mark.parametrize("nasty", ['a"b', "a\\b", "a\nb", 'a",x="b', "\\n", "}\n# HELP", "ü"])
def test_label_values_are_escaped(nasty: str) -> None:
    text = "".join(metrics._family("x", "gauge", "help", [({"label": nasty}, 1.0)]))
    assert parse(text)[0] == {("x", frozenset({("label", nasty)})): 1.0}

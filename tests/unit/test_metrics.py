"""The exposition, read back by a parser that knows nothing of how it was written."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bgpctl.core.model import IPV4, IPV6, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.state import PHASES, NodeState, PeerState
from bgpctl.speaker.counters import Counters, Histogram
from bgpctl.speaker.status import metrics

NOW = 1_800_000_000.0

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
            family = re.sub("_(bucket|sum|count)$", "", match[1])
            of_histogram = types.get(family) == "histogram"
            assert of_histogram or match[1] in types, f"{match[1]} comes before its TYPE"
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
    counters = Counters(reconcile_errors=1)
    samples, types = parse(metrics.render(state, counters, NOW))
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
    assert all((kind == "counter") == name.endswith("_total") for name, kind in types.items())


def test_an_instance_is_known_by_its_name() -> None:
    named = replace(peer("rack/192.0.2.2"), instance="rack")
    samples, _ = parse(metrics.render(NodeState("n", peers=(peer(), named)), Counters(), NOW))
    name = "cilium_bgp_control_plane_session_state"
    assert value(samples, name, instance_name="rack", neighbor="192.0.2.2:1790", local_asn="65001") == 1
    assert value(samples, name, instance_name="65001", neighbor="192.0.2.1:1790") == 1
    kept = {"instance_name", "local_asn", "neighbor", "neighbor_asn"}
    assert {frozenset(dict(have)) for (n, have) in samples if n == name} == {frozenset(kept)}


def test_a_speaker_without_anything_has_metrics() -> None:
    samples, _ = parse(metrics.render(NodeState("n"), Counters(), NOW))
    assert value(samples, "bgpctl_policy_invalid") == 0
    assert value(samples, "bgpctl_problems") == 0


@pytest.mark.parametrize("phase", PHASES)
def test_exactly_one_phase(phase: str) -> None:
    samples, _ = parse(metrics.render(NodeState("n", phase), Counters(), NOW))
    on = [dict(have)["phase"] for (name, have), v in samples.items() if name == "bgpctl_phase" and v]
    assert on == [phase]


def test_an_invalid_policy_can_be_alerted_on() -> None:
    state = NodeState("n", policy_problem="bad", problems=("bad", "worse"))
    samples, _ = parse(metrics.render(state, Counters(), NOW))
    assert value(samples, "bgpctl_policy_invalid") == 1
    assert value(samples, "bgpctl_problems") == 2


def test_large_counters_keep_their_digits() -> None:
    text = metrics.render(NodeState("n", started_at=98765.4321), Counters(reconcile_errors=123_456_789), NOW)
    assert "cilium_bgp_control_plane_reconcile_errors_total 123456789\n" in text
    assert "bgpctl_start_time_seconds 98765.4321\n" in text


def test_uptime_only_while_established() -> None:
    up, down = peer(established_at=NOW - 90.5), peer("65001/192.0.2.2", state=SessionState.CONNECT)
    samples, _ = parse(metrics.render(NodeState("n", peers=(up, down)), Counters(), NOW))
    assert value(samples, "bgpctl_session_uptime_seconds") == 90.5
    assert [n for n, have in samples if ("neighbor", "192.0.2.2:1790") in have and "uptime" in n] == []


def test_the_last_error_has_its_code_and_none_of_its_words() -> None:
    error = LastError(NOW - 5, "received", 'rack\n"maintenance"', 6, 2)
    text = metrics.render(NodeState("n", peers=(peer(last_error=error),)), Counters(), NOW)
    samples, _ = parse(text)
    assert value(samples, "bgpctl_session_last_error_info", direction="received", code="6", subcode="2") == 1
    assert value(samples, "bgpctl_session_last_error_timestamp_seconds") == NOW - 5
    assert "maintenance" not in text


def test_an_error_without_a_notification_has_no_code() -> None:
    error = LastError(NOW, "local", "connection refused")
    samples, _ = parse(metrics.render(NodeState("n", peers=(peer(last_error=error),)), Counters(), NOW))
    assert value(samples, "bgpctl_session_last_error_info", direction="local", code="", subcode="") == 1


def test_negotiated_timers() -> None:
    both = peer(hold_time=9, keepalive_time=3, local_gr=GracefulRestart(120), peer_gr=GracefulRestart(0))
    one = peer("65001/192.0.2.2", local_gr=GracefulRestart(120))
    samples, _ = parse(metrics.render(NodeState("n", peers=(both, one)), Counters(), NOW))
    assert value(samples, "bgpctl_session_hold_time_seconds") == 9
    assert value(samples, "bgpctl_session_keepalive_time_seconds") == 3
    name = "bgpctl_session_restart_time_seconds"
    assert value(samples, name, neighbor="192.0.2.1:1790", side="local") == 120
    assert value(samples, name, neighbor="192.0.2.1:1790", side="peer") == 0
    assert value(samples, name, neighbor="192.0.2.2:1790", side="local") == 120
    assert len([n for n, _ in samples if n == name]) == 3


def test_histograms_are_cumulative() -> None:
    counters = Counters()
    for seconds in (0.004, 0.005, 0.2, 100.0):
        counters.runs.observe(seconds)
    counters.changes["withdraw"].observe(0.05)
    samples, types = parse(metrics.render(NodeState("n"), counters, NOW))
    name = "cilium_bgp_control_plane_reconcile_run_duration_seconds"
    assert types[name] == "histogram"
    assert value(samples, f"{name}_bucket", le="0.005") == 2, "a bound is included"
    assert value(samples, f"{name}_bucket", le="0.25") == 3
    assert value(samples, f"{name}_bucket", le="60.0") == 3
    assert value(samples, f"{name}_bucket", le="+Inf") == value(samples, f"{name}_count") == 4
    assert value(samples, f"{name}_sum") == pytest.approx(100.209)
    assert value(samples, "bgpctl_change_to_update_seconds_count", kind="withdraw") == 1
    assert value(samples, "bgpctl_change_to_update_seconds_count", kind="announce") == 0


def test_a_histogram_needs_no_observation() -> None:
    assert list(Histogram((1.0,)).cumulative()) == [(1.0, 0), (float("inf"), 0)]


@pytest.mark.parametrize("nasty", ['a"b', "a\\b", "a\nb", 'a",x="b', "\\n", "}\n# HELP", "ü"])
def test_label_values_are_escaped(nasty: str) -> None:
    text = "".join(metrics._family("x", "gauge", "help", [({"label": nasty}, 1.0)]))
    assert parse(text)[0] == {("x", frozenset({("label", nasty)})): 1.0}


def test_absent_routes_are_counted_by_reason_and_damped_ones_always() -> None:
    samples, _ = parse(metrics.render(NodeState("n", absent={"noLocalEndpoints": 3}), Counters(), NOW))
    assert value(samples, "bgpctl_absent_routes", reason="noLocalEndpoints") == 3
    assert value(samples, "bgpctl_absent_routes", reason="damped") == 0


def test_when_the_state_was_told_last_and_since_when_a_run_is_not_done() -> None:
    samples, _ = parse(metrics.render(NodeState("n"), Counters(), NOW, NOW - 7, ("drain", NOW - 90)))
    assert value(samples, "bgpctl_state_written_timestamp_seconds") == NOW - 7
    assert value(samples, "bgpctl_unfinished_run_start_timestamp_seconds", command="drain") == NOW - 90
    samples, types = parse(metrics.render(NodeState("n"), Counters(), NOW))
    absent = {"bgpctl_state_written_timestamp_seconds", "bgpctl_unfinished_run_start_timestamp_seconds"}
    assert absent <= set(types) and not absent & {name for name, _ in samples}

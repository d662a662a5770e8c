"""The Prometheus text format, from whoever serves it."""

from __future__ import annotations

import math
import time

import pytest

from bgpctl.core import exposition
from bgpctl.core.exposition import Sample, read
from bgpctl.core.model import IPV4
from bgpctl.speaker.counters import Counters
from bgpctl.speaker.status.metrics import render
from tests.support.node_states import peer, state

NOW = 1_800_000_000.0
CILIUM = """\
# HELP cilium_bgp_control_plane_session_state Current state of the BGP session with the peer
# TYPE cilium_bgp_control_plane_session_state gauge
cilium_bgp_control_plane_session_state{neighbor="192.0.2.1:179",neighbor_asn="65000",vrouter="65001"} 1
cilium_bgp_control_plane_advertised_routes{afi="ipv4",neighbor="192.0.2.1:179",safi="unicast"} 1.5e+01
cilium_bgp_control_plane_reconcile_run_duration_seconds_bucket{vrouter="65001",le="+Inf"} 4
cilium_bgp_control_plane_reconcile_run_duration_seconds_sum{vrouter="65001"} 0.25
cilium_endpoint_count 12
"""
P = ("cilium_bgp_control_plane_",)


def test_ciliums_metrics_and_nothing_else_of_its_agent() -> None:
    told = read(CILIUM.splitlines(), P)
    assert (told.bad, told.more) == (0, 0)
    assert [(s.name.removeprefix(P[0]), s.value) for s in told.samples] == [
        ("session_state", 1.0),
        ("advertised_routes", 15.0),
        ("reconcile_run_duration_seconds_sum", 0.25),
    ]
    assert told.samples[0].labels["neighbor"] == "192.0.2.1:179"


def test_what_our_speaker_writes_is_read_back() -> None:
    text = render(state("worker-1", NOW, peer(NOW)), Counters(), NOW)
    told = read(text.splitlines(), (*P, "bgpctl_"))
    assert told.bad == 0
    assert {"cilium_bgp_control_plane_session_state", "bgpctl_session_flaps_total"} <= {
        s.name for s in told.samples
    }
    assert any(s.labels.get("afi") == IPV4.afi for s in told.samples)


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("a 1", Sample("a", {}, 1.0)),
        ("a{} 1 1700000000000", Sample("a", {}, 1.0)),
        ('a { b = "c" , } -2.5', Sample("a", {"b": "c"}, -2.5)),
        (r'a{b="q\"\\\n\t"} 1', Sample("a", {"b": 'q"\\\n\\t'}, 1.0)),
        ('a{b="x} 7",c="# y"} 1', Sample("a", {"b": "x} 7", "c": "# y"}, 1.0)),
        ("a +Inf", Sample("a", {}, math.inf)),
    ],
)
def test_lines(line: str, sample: Sample) -> None:
    (found,) = read([line], ("a",)).samples
    assert (found.name, dict(found.labels), found.value) == (sample.name, sample.labels, sample.value)


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a one",
        "a 1 2 3",
        'a{b="c} 1',
        "a{b=c} 1",
        "1a 2",
        "a 0x1",
        "a 1_000",
        "a ١",
        "<html>",
        "a " + "1" * 9999,
    ],
)
def test_a_bad_line_costs_itself(line: str) -> None:
    told = read(["a 1", line, "a 2"], ("a",))
    assert ([s.value for s in told.samples], told.bad) == ([1.0, 2.0], 1)


def test_what_is_too_much_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SAMPLES", 3)
    told = read((f'a{{n="{n}"}} {n}' for n in range(10)), ("a",))
    assert (len(told.samples), told.more) == (3, 7)


@pytest.mark.parametrize(
    "line",
    [
        "a{" + 'b="c",' * 600,
        "a" + " " * 4000,
        "a" + " " * 4000 + "b c",
        "a{" + " " * 4000 + "b",
        'a{b="' + "\\" * 4000,
        "a{b=" + '"x"y' * 900,
    ],
)
def test_no_line_takes_long(line: str) -> None:
    began = time.process_time()
    read([line[: exposition.LONGEST_LINE]] * 20, ("a",))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("length", "bad"), [(exposition.LONGEST_LINE, 0), (exposition.LONGEST_LINE + 1, 1)])
def test_a_line_is_read_up_to_a_length(length: int, bad: int) -> None:
    head, tail = 'bgpctl_x{a="', '"} 1'
    text = head + "v" * (length - len(head) - len(tail)) + tail
    assert len(text) == length
    assert read([text], ("bgpctl_",)).bad == bad


def test_a_sample_without_labels_has_none() -> None:
    (one,) = read(["bgpctl_x 1"], ("bgpctl_",)).samples
    assert one.labels == {}
    (one,) = read([r'bgpctl_x{a="1\\2\n3\"4\t5",b=""} 1'], ("bgpctl_",)).samples
    assert one.labels == {"a": '1\\2\n3"4\\t5', "b": ""}

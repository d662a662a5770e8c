"""Every stack's own way to write: known by its form, with the time that it or the API server tells."""

from __future__ import annotations

import json

import pytest

from bgpctl.core.logforms import fields
from bgpctl.core.loglines import merged, read
from bgpctl.render import logs as out
from bgpctl.render.text import plain

T = "2026-11-23T18:32:55.803000000Z"
AT = 1795458775.803
FRR = "2026/11/23 18:32:55.803 BGP: [M59KS-A3ZXZ] %ADJCHANGE: neighbor 192.0.2.1 in vrf default Up"
NOTED = "2026/11/23 18:32:55 BGP: %NOTIFICATION: sent to neighbor 192.0.2.1 6/2 (Cease/Admin Shutdown)"
METALLB = (
    '{"caller":"native.go:117","event":"sessionUp","level":"info","localASN":64500,"msg":"BGP session '
    'established","peer":"192.0.2.1:179","peerASN":64501,"ts":"2026-11-23T18:32:55.803Z"}'
)
BIRD = f"{T} bird: Node_192_0_2_1: State changed to up"
CILIUM = 'time=2026-11-23T18:32:55.803Z level=info msg="Peer Up" subsys=bgp-control-plane'
CILIUM_JSON = (
    '{"time":"2026-11-23T18:32:55.803Z","level":"info","msg":"Peer Up","subsys":"bgp-control-plane"}'
)
GOBGP = 'time="2026-11-23T18:32:55.803Z" level=info msg="Peer Up" Key=192.0.2.1 Topic=Peer'


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        (FRR, "info", "%ADJCHANGE: neighbor 192.0.2.1 in vrf default Up"),
        (METALLB, "info", "BGP session established"),
        (BIRD, "info", "Node_192_0_2_1: State changed to up"),
        (f"{T} bird6: <WARN> Invalid route", "warning", "Invalid route"),
        (CILIUM, "info", "Peer Up"),
        (CILIUM_JSON, "info", "Peer Up"),
        (GOBGP, "info", "Peer Up"),
        (f"{T} {CILIUM}", "info", "Peer Up"),
    ],
)
def test_forms(text: str, level: str, message: str) -> None:
    line = read(text, "worker-1")
    assert line is not None
    assert (line.level, line.message, line.node) == (level, message, "worker-1")
    assert line.at == pytest.approx(AT, abs=1e-3)


def test_a_time_that_nobody_told_is_not_1970() -> None:
    line = read("bird: Started", "worker-1")
    assert line is not None
    assert plain(out.text(line)).startswith("time not told            worker-1  info    Started")
    assert out.document(line)["time"] is None


def test_a_notification_is_loud() -> None:
    line = read(NOTED, "worker-1")
    assert line is not None and line.level == "warning"


def test_its_own_time_counts_more_than_when_it_was_written() -> None:
    line = read(f"2026-11-23T18:40:00Z {FRR}", "worker-1")
    assert line is not None and line.at == pytest.approx(AT, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "2026/11/23 18:32:55 ZEBRA: [M59KS-A3ZXZ] client 5 disconnected",
        "2026-11-23 18:32:55.803 [INFO][69] confd/client.go 100: Updated bird config",
        '{"caller":"main.go:1","level":"info","msg":"Starting speaker","ts":"2026-11-23T18:32:55Z"}',
        '{"caller":"arp.go:1","level":"info","msg":"got ARP request","interface":"eth0"}',
        "bird",
        "blackbird: bird: no",
        f"{T} ",
        f"{T} time=x level=info subsys=envoy",
        "level=info Topic=Config",
    ],
)
def test_what_is_somebody_elses(text: str) -> None:
    assert read(text, "worker-1") is None


def test_a_log_of_several_stacks_is_one_by_time() -> None:
    later = BIRD.replace("18:32:55", "18:32:56")
    logs = [[read(later, "b")], [read(FRR, "a"), read(FRR.replace(":55.", ":57."), "a")]]
    found = list(merged(iter([one for one in log if one]) for log in logs))
    assert [line.node for line in found] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("more", "about"),
    [
        ({"peer": "192.0.2.1:179"}, True),
        ({"peerASN": "64501"}, True),
        ({"localASN": "64500"}, True),
        ({"protocol": "bgp"}, True),
        ({"protocol": "layer2"}, False),
        ({"msg": "BGP session"}, True),
        ({"op": "setupBGP"}, True),
        ({"event": "bgpPeerAdded"}, True),
        ({}, False),
        ({"caller": None, "peer": "192.0.2.1:179"}, False),
    ],
)
def test_which_of_metallbs_lines_are_about_bgp(more: dict[str, str | None], about: bool) -> None:
    line = {"caller": "main.go:1", "level": "info", "msg": "x", "op": "y", "event": "z", **more}
    text = json.dumps({key: value for key, value in line.items() if value is not None})
    assert (fields(text) is not None) is about

"""The dashboards: Grafana's own typed model takes them whole, and they ask for metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bgpctl.core.model import IPV4, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.state import NodeState, PeerState
from bgpctl.install import dashboards
from bgpctl.install.monitoring import monitors
from bgpctl.install.settings import options
from bgpctl.speaker.counters import Counters
from bgpctl.speaker.status import metrics

Document = dict[str, Any]

NAMES = tuple(dashboards.DASHBOARDS)
_METRIC = re.compile(r"\b(?:cilium_bgp_control_plane|bgpctl)_\w+")


def exposed() -> set[str]:
    """The names of all samples of a speaker that has everything to tell."""
    gr = GracefulRestart(90)
    session = Session(
        "p",
        SessionState.ESTABLISHED,
        advertised={IPV4: 1},
        received={IPV4: 1},
        established_at=1.0,
        hold_time=9,
        keepalive_time=3,
        local_gr=gr,
        peer_gr=gr,
        last_error=LastError(1.0, "sent", "", 6, 2),
    )
    state = NodeState("n", peers=(PeerState("p", "192.0.2.1", 179, 65000, 65001, session),))
    text = metrics.render(replace(state, phase="Running"), Counters(), 2.0, 1.0, ("drain", 1.0))
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def panels(name: str) -> Iterator[Document]:
    return (one for one in dashboards.model(name)["panels"] if one["type"] != "row")


def expressions() -> Iterator[str]:
    for name in NAMES:
        for panel in panels(name):
            yield from (target["expr"] for target in panel["targets"])
    for group in monitors(options())[1]["spec"]["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@pytest.mark.parametrize("name", NAMES)
def test_grafana_s_own_model_takes_each_and_loses_nothing(name: str) -> None:
    sdk = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    pytest.importorskip("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    model = json.loads(json.dumps(dashboards.model(name)))
    taken = json.loads(encoder.JSONEncoder(sort_keys=True).encode(sdk.Dashboard.from_json(model)))
    assert list(lost(model, taken)) == []
    assert list(lost({**model, "titel": "x"}, taken)) == ["titel"], "a word that is none would have been seen"


def lost(given: Any, taken: Any, path: str = "") -> Iterator[str]:
    """Where `taken` does not have what was given."""
    if isinstance(given, dict) and isinstance(taken, dict):
        for key, value in given.items():
            yield from lost(value, taken.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(given, list) and isinstance(taken, list) and len(given) == len(taken):
        for index, value in enumerate(given):
            yield from lost(value, taken[index], f"{path}[{index}]")
    elif given != taken:
        yield path


def test_what_they_and_the_alerts_ask_for_is_exposed() -> None:
    asked = {found for expression in expressions() for found in _METRIC.findall(expression)}
    assert asked and asked <= exposed()


@pytest.mark.parametrize("name", NAMES)
def test_no_two_panels_lie_on_each_other_and_ids_are_unique(name: str) -> None:
    model = dashboards.model(name)
    fields = [
        (x, y)
        for panel in model["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(fields) == len(set(fields)) and max(x for x, _ in fields) < dashboards.WIDTH
    assert all(one["id"] < other["id"] for one, other in pairwise(model["panels"]))
    assert all(panel["targets"] and panel["title"] for panel in panels(name))


def test_each_is_a_config_map_that_grafana_s_sidecar_finds() -> None:
    found = list(dashboards.config_maps(options("elsewhere")))
    assert [one["metadata"]["name"] for one in found] == [f"bgpctl-dashboard-{name}" for name in NAMES]
    for one in found:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["namespace"] == "elsewhere"
        (text,) = one["data"].values()
        assert json.loads(text)["uid"].startswith("bgpctl-")

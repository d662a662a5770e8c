"""Three Grafana dashboards as JSON models: fleet, node, drain. Pure.

Sessions and routes have Cilium's metric names, so the same panels show Cilium's agents; what only our
speaker tells is in rows of its own. To add a panel: a line in its table; `python -m tests.manifests` writes
the chart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.install.labels import meta
from bgpctl.install.settings import Options

Document = dict[str, Any]

SCHEMA = 39  # of Grafana 10.4; newer ones migrate it
WIDTH = 24  # columns of Grafana's grid
SIDECAR = "grafana_dashboard"  # the label by which Grafana's sidecar finds a ConfigMap

_CILIUM = "cilium_bgp_control_plane"
_RUN = "bgpctl_unfinished_run_start_timestamp_seconds"
_HERE = 'node=~"$node"'


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries`: a legend and its PromQL each. `size`: columns and rows of the grid. `instant`: now only.
    `words`: what a number is shown as, and in which colour."""

    title: str
    kind: str
    queries: Mapping[str, str]
    unit: str = "short"
    size: tuple[int, int] = (12, 8)
    instant: bool = False
    words: Mapping[str, tuple[str, str]] | None = None
    about: str = ""


_UP_DOWN = {"0": ("down", "red"), "1": ("up", "green")}
_PHASE = {"0": ("", "transparent"), "1": ("", "blue")}


def _stat(title: str, query: str, unit: str = "short", about: str = "") -> Panel:
    return Panel(title, "stat", {"": query}, unit, (4, 4), True, about=about)


def _graph(title: str, queries: Mapping[str, str], unit: str = "short", about: str = "") -> Panel:
    return Panel(title, "timeseries", queries, unit, about=about)


def _sessions(selected: str) -> Panel:
    query = f"{_CILIUM}_session_state{{{selected}}}"
    return Panel("Sessions", "state-timeline", {"{{node}} {{neighbor}}": query}, size=(24, 8), words=_UP_DOWN)


_FLEET: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Now",
        (
            _stat("Nodes with BGP", f"count(count by (node) ({_CILIUM}_session_state))"),
            _stat("Sessions up", f"sum({_CILIUM}_session_state)"),
            _stat("Sessions down", f"count({_CILIUM}_session_state == 0) or vector(0)"),
            _stat("Routes advertised", f"sum({_CILIUM}_advertised_routes)"),
            _stat(
                "Drains not done",
                f"count({_RUN}) or vector(0)",
                about="Of our own speaker's nodes.",
            ),
            _stat("Failed reconciles, 1 h", f"sum(increase({_CILIUM}_reconcile_errors_total[1h]))"),
        ),
    ),
    (
        "Sessions and routes",
        (
            Panel(
                "Sessions that are down",
                "table",
                {"": f"{_CILIUM}_session_state == 0"},
                size=(12, 8),
                instant=True,
            ),
            _graph("Routes advertised", {"{{node}}": f"sum by (node) ({_CILIUM}_advertised_routes)"}),
            _graph("Routes received", {"{{node}}": f"sum by (node) ({_CILIUM}_received_routes)"}),
            _graph(
                "Time of a reconcile, 99 %",
                {
                    "{{node}}": "histogram_quantile(0.99, sum by (node, le) "
                    f"(rate({_CILIUM}_reconcile_run_duration_seconds_bucket[5m])))"
                },
                "s",
            ),
        ),
    ),
    (
        "Our speakers",
        (
            _graph(
                "Routes that should be announced and are not",
                {"{{node}}": "sum by (node) (bgpctl_intended_routes - bgpctl_announced_routes)"},
            ),
            _graph(
                "Sessions lost, 1 h", {"{{node}}": "sum by (node) (increase(bgpctl_session_flaps_total[1h]))"}
            ),
            _graph("Speakers by phase", {"{{phase}}": "sum by (phase) (bgpctl_phase)"}),
            _graph(
                "Age of the state that others read",
                {"{{node}}": "time() - bgpctl_state_written_timestamp_seconds"},
                "s",
            ),
        ),
    ),
)

_NODE: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Sessions and routes",
        (
            _sessions(_HERE),
            _graph(
                "Routes advertised",
                {"{{neighbor}} {{afi}}": f"{_CILIUM}_advertised_routes{{{_HERE}}}"},
            ),
            _graph("Routes received", {"{{neighbor}} {{afi}}": f"{_CILIUM}_received_routes{{{_HERE}}}"}),
        ),
    ),
    (
        "Our speaker",
        (
            _graph(
                "Routes, intended and announced",
                {
                    "intended {{neighbor}}": f"bgpctl_intended_routes{{{_HERE}}}",
                    "announced {{neighbor}}": f"bgpctl_announced_routes{{{_HERE}}}",
                    "pending {{neighbor}}": f"bgpctl_pending_routes{{{_HERE}}}",
                },
            ),
            _graph("Routes that are held back", {"{{reason}}": f"bgpctl_absent_routes{{{_HERE}}}"}),
            _graph(
                "From a change to its UPDATE, 99 %",
                {
                    "{{kind}}": "histogram_quantile(0.99, sum by (kind, le) "
                    f"(rate(bgpctl_change_to_update_seconds_bucket{{{_HERE}}}[5m])))"
                },
                "s",
            ),
            _graph(
                "Timers",
                {
                    "hold {{neighbor}}": f"bgpctl_session_hold_time_seconds{{{_HERE}}}",
                    "restart {{side}} {{neighbor}}": f"bgpctl_session_restart_time_seconds{{{_HERE}}}",
                },
                "s",
            ),
            Panel(
                "What ended sessions last",
                "table",
                {"": f"bgpctl_session_last_error_info{{{_HERE}}}"},
                size=(24, 6),
                instant=True,
            ),
            _graph("Problems", {"": f"bgpctl_problems{{{_HERE}}}"}),
            _graph("ExaBGP replaced", {"": f"bgpctl_engine_restarts_total{{{_HERE}}}"}),
        ),
    ),
)

_DRAIN: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "The node's way out and back",
        (
            Panel(
                "Runs that are not done",
                "timeseries",
                {"{{command}} of {{node}}": f"time() - {_RUN}{{{_HERE}}}"},
                "s",
                (24, 6),
                about="How long the drain or restore goes on that is in the Node's annotation bgpctl.io/run.",
            ),
            Panel(
                "Phase",
                "state-timeline",
                {"{{node}} {{phase}}": f"bgpctl_phase{{{_HERE}}}"},
                size=(24, 8),
                words=_PHASE,
            ),
            _graph(
                "Routes advertised",
                {"{{neighbor}}": f"sum by (neighbor) ({_CILIUM}_advertised_routes{{{_HERE}}})"},
            ),
            _graph(
                "Routes advertised by all nodes",
                {"{{neighbor}}": f"sum by (neighbor) ({_CILIUM}_advertised_routes)"},
                about="What is left for the traffic meanwhile.",
            ),
            _sessions(_HERE),
        ),
    ),
)

DASHBOARDS: Mapping[str, tuple[str, tuple[tuple[str, tuple[Panel, ...]], ...]]] = {
    "fleet": ("BGP: fleet", _FLEET),
    "node": ("BGP: node", _NODE),
    "drain": ("BGP: a node leaves and returns", _DRAIN),
}
"""By name: the title, and the rows with their panels."""


def config_maps(chosen: Options) -> Iterator[Document]:
    """One for each dashboard, as Grafana's sidecar looks for them."""
    for name in DASHBOARDS:
        found = meta(chosen, f"bgpctl-dashboard-{name}")
        found["labels"][SIDECAR] = "1"
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": found, "data": data(name)}


def data(name: str) -> dict[str, str]:
    """The file of a dashboard's ConfigMap, and its text."""
    return {f"bgpctl-{name}.json": json.dumps(model(name), indent=1, ensure_ascii=False) + "\n"}


def model(name: str) -> Document:
    """Grafana's JSON model (grafana.com/docs, "Dashboard JSON model") of one of DASHBOARDS."""
    title, rows = DASHBOARDS[name]
    return {
        "uid": f"bgpctl-{name}",
        "title": title,
        "tags": ["bgp", "bgpctl"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "10s" if name == "drain" else "30s",
        "time": {"from": "now-15m" if name == "drain" else "now-6h", "to": "now"},
        "templating": {"list": list(_variables(name))},
        "panels": list(_panels(rows)),
    }


def _variables(name: str) -> Iterator[Document]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    if name != "fleet":
        yield {
            "name": "node",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": f"label_values({_CILIUM}_session_state, node)", "refId": "node"},
            "refresh": 2,  # whenever the time range changes
            "sort": 1,
        }


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _panels(rows: tuple[tuple[str, tuple[Panel, ...]], ...]) -> Iterator[Document]:
    number = top = 0
    for title, panels in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": _place(0, top, WIDTH, 1),
            "panels": [],
        }
        top, left, tallest = top + 1, 0, 0
        for panel in panels:
            width, height = panel.size
            if left + width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            yield _panel(panel, number, _place(left, top, width, height))
            left, tallest = left + width, max(tallest, height)
        top += tallest


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> Document:
    defaults: Document = {"unit": panel.unit}
    if panel.words:
        options = {key: {"text": text, "color": color} for key, (text, color) in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": options}]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                "instant": panel.instant,
                "range": not panel.instant,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for index, (legend, expression) in enumerate(panel.queries.items())
        ],
    }

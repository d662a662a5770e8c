"""Our rules and dashboards at a real Prometheus: promtool's judgement, and a lab that it scrapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.install import dashboards
from bgpctl.lab.cluster import Lab
from bgpctl.lab.stacks.speakers import HTTP_PORT
from tests.support import lab as labs
from tests.support.prometheus import JOB, Prometheus, hasty, prometheus, promtool, rules
from tests.support.require import require
from tests.support.running import Running
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

_PEER = 'instance_name="a",local_asn="65001",neighbor="192.0.2.1:179",neighbor_asn="65000"'
_AT = 'node="n1",pod="p1"'
_NOTHING_IN_ORDER = {
    f'bgpctl_phase{{{_AT},phase="Running"}}': "1+0x60",
    f"cilium_bgp_control_plane_session_state{{{_AT},{_PEER}}}": "1+0x60",
    f"bgpctl_intended_routes{{{_AT},{_PEER}}}": "5+0x60",
    f"bgpctl_announced_routes{{{_AT},{_PEER}}}": "5+0x60",
    f"bgpctl_policy_invalid{{{_AT}}}": "0+0x60",
    f"cilium_bgp_control_plane_reconcile_errors_total{{{_AT}}}": "7+0x60",
    f"bgpctl_engine_restarts_total{{{_AT}}}": "3+0x60",
    f"bgpctl_start_time_seconds{{{_AT}}}": "0+0x60",
    f"bgpctl_state_written_timestamp_seconds{{{_AT}}}": "0+60x60",
    f'up{{job="{JOB}",{_AT}}}': "1+0x60",
}
"""A minute per step, for an hour: what a speaker tells whose node is in order. A test changes one line."""

_WRONG = {
    "BgpctlSessionDown": {"cilium_bgp_control_plane_session_state": "0+0x60"},
    "BgpctlRoutesMissing": {"bgpctl_announced_routes": "4+0x60"},
    "BgpctlPolicyInvalid": {"bgpctl_policy_invalid": "1+0x60"},
    "BgpctlReconcileFails": {"cilium_bgp_control_plane_reconcile_errors_total": "0+1x60"},
    "BgpctlEngineRestarts": {"bgpctl_engine_restarts_total": "0+1x60"},
    "BgpctlHeartbeatStale": {"bgpctl_state_written_timestamp_seconds": "0+0x60"},
    "BgpctlDrainStuck": {"bgpctl_unfinished_run_start_timestamp_seconds": "0+0x60"},
    "BgpctlSpeakerDown": {"up": "0+0x60"},
}


def unit(wrong: dict[str, str], alert: str, fires: bool) -> dict[str, Any]:
    """One of promtool's unit tests: does the alert fire after 50 minutes?"""
    told = {
        **_NOTHING_IN_ORDER,
        f'bgpctl_unfinished_run_start_timestamp_seconds{{{_AT},command="drain"}}': "_x60",
    }
    series = [
        {"series": name, "values": wrong.get(name.partition("{")[0], values)} for name, values in told.items()
    ]
    expected = [{"exp_labels": {}}] if fires else []
    return {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": "50m",
                "exp_samples": [{"labels": "{}", "value": 1}] if expected else [],
            }
        ],
    }


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    require("promtool")
    (tmp_path / "rules.yml").write_text(json.dumps(rules()))
    ran = promtool("check", "rules", tmp_path / "rules.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alert_fires_for_what_it_is_for_and_for_nothing_else(tmp_path: Path) -> None:
    require("promtool")
    (tmp_path / "rules.yml").write_text(json.dumps(rules()))
    names = [rule["alert"] for group in rules()["groups"] for rule in group["rules"]]
    assert set(names) == set(_WRONG)
    tests = [unit(wrong, name, name == of) for of, wrong in _WRONG.items() for name in names]
    tests += [unit({}, name, False) for name in names]
    tests.append(unit({"bgpctl_state_written_timestamp_seconds": "_x60"}, "BgpctlHeartbeatStale", True))
    (tmp_path / "tests.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests})
    )
    ran = promtool("test", "rules", tmp_path / "tests.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    require("prometheus", "bird")
    with labs.running("bird", nodes=2) as found:
        yield found


@pytest.fixture(scope="module")
def scraped(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    targets = {one.node: f"{one.address}:{HTTP_PORT}" for one in lab.speakers}
    with prometheus(tmp_path_factory.mktemp("prometheus"), targets, hasty()) as found:
        eventually(lambda: len(found.query("up == 1")) == len(targets), 20)
        yield found


def test_a_healthy_cluster_is_silent_and_every_panel_s_query_is_answered(scraped: Prometheus) -> None:
    throughout(lambda: not scraped.firing(), 3, why="no alert")
    nothing_to_show = {
        *("Sessions that are down", "What ended sessions last", "Runs that are not done"),
        "Routes received",  # the lab's router announces none
    }
    silent = []
    for name in dashboards.DASHBOARDS:
        for panel in dashboards.model(name)["panels"]:
            for target in panel.get("targets", ()):
                if not scraped.query(target["expr"].replace("$node", ".*")):
                    silent.append(panel["title"])
    assert set(silent) <= nothing_to_show


def test_a_router_that_is_away_and_a_drain_that_was_left_half_way(lab: Lab, scraped: Prometheus) -> None:
    node = lab.speakers[0].node
    with Running(lab.kubeconfig, "node", "drain", node, "-o", "json") as drain:
        drain.until("Cordoned", "done")
        drain.kill()
    left = eventually(lambda: scraped.query("bgpctl_unfinished_run_start_timestamp_seconds"), 10)
    assert {(one["metric"]["node"], one["metric"]["command"]) for one in left} == {(node, "drain")}
    eventually(lambda: ("BgpctlDrainStuck", node) in scraped.firing(), 15)
    labs.run_ok(lab, "node", "drain", node)
    eventually(lambda: not scraped.query("bgpctl_unfinished_run_start_timestamp_seconds"), 10)
    labs.run_ok(lab, "node", "restore", node)
    lab.router.stop()
    eventually(lambda: {one for one, _ in scraped.firing()} >= {"BgpctlSessionDown"}, 20)

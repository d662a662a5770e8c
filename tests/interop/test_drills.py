"""`bgpctl lab drill`: failures under traffic at a real router, a slice of `make drills`; and drills that must
fail, because a mitigation was claimed that is not in force."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgpctl.core.timing.drills import ON, SHORT_OFF, Drill, Verdict
from bgpctl.core.timing.failures import RouteClass, Scenario
from bgpctl.lab.drill.run import run
from tests.support.cli import bgpctl
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop


def _ours() -> set[str]:
    """Namespaces of this process."""
    place = Path("/run/netns")
    found = {path.name for path in place.iterdir()} if place.exists() else set()
    return {name for name in found if name.startswith(f"bgpctl{os.getpid()}x")}


def test_an_agent_that_restarts_gracefully_loses_nothing(tmp_path: Path) -> None:
    require("netns", "bird")
    page = tmp_path / "page.html"
    words = ("agent-down", "--graceful-restart", "20", "--router", "bird", "--html", page, "-o", "json")
    ran = bgpctl("lab", "drill", *words, deadline=120)
    assert ran.code == 0, ran.out + ran.err
    rows = [row for one in ran.document["drills"] for row in one["routes"]]
    assert [(row["routes"], row["lost"], row["verdict"]) for row in rows] == [
        ("PodCIDR", 0, "held"),
        ("Cluster", 0, "held"),
    ]
    assert all(row["sent"] > 500 for row in rows)
    assert "<svg" in page.read_text()


def test_a_node_that_falls_silent_costs_what_was_foretold() -> None:
    require("netns", "bird")
    found = run("bird", Drill(Scenario.POWER_OFF, SHORT_OFF))
    assert found.passed, found
    assert found.rows[0].measured.lost > 10, "the node had requests"
    assert 0.3 < found.rows[0].measured.moved < 0.7, "every second flow was moved, about"


def test_cilium_nodes_cost_what_was_foretold() -> None:
    """Emulated agents on real gobgpds, which send the N bit; the forecast is that of their own words."""
    require("netns", "bird", "gobgp")
    dead = run("bird", Drill(Scenario.POWER_OFF, SHORT_OFF), stack="cilium")
    assert dead.passed and dead.stack == "cilium", dead
    assert dead.rows[0].measured.lost > 10, "the node had requests"
    graceful = run("bird", Drill(Scenario.AGENT_DOWN, ON._replace(notification=True)), stack="cilium")
    assert graceful.passed, graceful
    assert [row.measured.lost for row in graceful.rows] == [0, 0]
    refused = run("bird", Drill(Scenario.DESELECT, SHORT_OFF), stack="cilium")
    assert refused.passed, refused
    assert not _ours(), "nothing is left behind"


def test_a_mitigation_that_is_not_in_force_fails_the_drill() -> None:
    """The router is no helper: what graceful restart would have kept is lost."""
    require("netns", "bird")
    found = run("bird", Drill(Scenario.AGENT_DOWN, ON), helper=False)
    assert found.problem == "graceful restart was not negotiated" and not found.passed
    verdicts = {row.course.kind: row.verdict for row in found.rows}
    assert verdicts == {RouteClass.POD_CIDR: Verdict.LONGER, RouteClass.CLUSTER: Verdict.HELD}
    assert not _ours(), "nothing is left behind"


def test_of_one_that_is_killed_hard_nothing_stays() -> None:
    """Its namespaces, and what ran on in them, stayed until the next one (issue 7)."""
    require("netns")
    script = (
        "from bgpctl.lab.traffic.network import NetLab\n"
        "import subprocess, time\n"
        "with NetLab() as net:\n"
        "    host = net.host('n1', '10.77.0.1/24')\n"
        "    argv = ('ip', 'netns', 'exec', host.name, 'sleep', '60')\n"
        "    print(subprocess.Popen(argv).pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        inside = Path("/proc") / lab.stdout.readline().strip()
        mine = f"bgpctl{lab.pid}x*"
        assert len(list(Path("/run/netns").glob(mine))) == 2 and inside.exists()
        lab.kill()
    eventually(lambda: not list(Path("/run/netns").glob(mine)), why="its namespaces are gone")
    eventually(lambda: not inside.exists(), why="what ran there has ended")

"""An API server that restarts: for a moment it refuses everyone but its administrators, then knows nothing.

Nobody with limited rights may take that for a missing permission.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.errors import Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError
from bgpctl.kube.watch import Mirror
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Restart
from bgpctl.lab.cluster import Lab
from bgpctl.lab.seed import crds
from bgpctl.speaker.verdictsource import VerdictSource
from tests.support import clients, lab, v2
from tests.support.apiserver import running
from tests.support.objects import node
from tests.support.running import Running
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

RESTARTS = 8
NODE = "worker-2"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(controllers=False) as started:
        started.apply(*crds(), node("worker-1"))
        yield started


def test_every_answer_of_a_restart_is_temporary(server: ApiServer) -> None:
    api = clients.client(server, server.person_token)
    said: set[str] = set()

    def answered(ask: object) -> bool:
        try:
            ask()  # type: ignore[operator]
        except Temporary as error:
            said.add(error.message)
            return False
        return True

    server.faults.restart(Restart(down=0.2))
    eventually(lambda: answered(lambda: api.get(paths.node("worker-1"))), interval=0.02)
    server.faults.restart(Restart(down=0.0))
    eventually(lambda: answered(lambda: api.items(paths.NODES)), interval=0.02)
    assert any("did not answer" in text for text in said)
    assert any(text.startswith("nodes") and "forbidden" in text for text in said), said
    assert any("storage is (re)initializing" in text for text in said), said


def test_a_restart_that_fell_between_two_requests(server: ApiServer) -> None:
    """The connection was made anew without a word: the first thing that is seen of it is the 403."""
    api = clients.client(server, server.person_token)
    api.get(paths.NODES)
    server.faults.restart(Restart(down=0.0, refusing=5.0))
    with pytest.raises(Temporary, match="only just started"):
        api.get(paths.NODES)


def test_a_first_refusal_is_believed(server: ApiServer) -> None:
    server.rights = ("get nodes",)
    api = clients.client(server, server.person_token)
    api.get(paths.node("worker-1"))
    with pytest.raises(ApiError) as refused:
        api.patch(paths.node("worker-1"), {})
    assert refused.value.code == 403


def test_a_watch_is_not_refused_by_a_restart(server: ApiServer) -> None:
    refused = []
    mirror: Mirror[object] = Mirror(
        clients.client(server, server.person_token), paths.NODES, lambda: refused.append(mirror.refused)
    )
    mirror.start()
    try:
        eventually(mirror.synced.is_set)
        # Longer than the moment after which it comes back.
        server.faults.restart(Restart(down=0.1, refusing=2.5))
        eventually(lambda: "forbidden" in mirror.problem, interval=0.01)
        server.apply(node("worker-2"))
        eventually(lambda: len(mirror.items()) == 2)
        assert not any(refused)
    finally:
        mirror.stop()


def test_verdicts_do_not_pause_for_a_restart(server: ApiServer) -> None:
    """After a permission that is missing they pause for five minutes."""
    admin = clients.client(server)
    source = VerdictSource(
        clients.client(server, server.person_token), "worker-1", "kube-system", lambda: None
    )
    source.start()

    def matching() -> str:
        found = admin.get(f"{paths.CLUSTER_CONFIGS[0]}/rack").get("status") or {}
        kinds = {c["type"]: c["status"] for c in found.get("conditions") or ()}
        return str(kinds.get("cilium.io/NoMatchingNode"))

    try:
        eventually(source.ready)
        admin.create(paths.CLUSTER_CONFIGS[0], v2.cluster_config())
        eventually(lambda: matching() == "False")
        server.faults.restart(Restart(down=0.1, refusing=1.0))
        server.apply(node("worker-1", labels={"enable-bgp": "false"}))
        eventually(lambda: not server.faults.restarting, interval=0.02)
        eventually(lambda: matching() == "True", deadline=20)
    finally:
        source.stop()


@pytest.fixture(scope="module")
def whole_lab() -> Iterator[Lab]:
    with lab.running() as started:
        yield started


def test_a_person_drains_through_restarts(whole_lab: Lab, tmp_path: Path) -> None:
    """Two restarts at random instants of each drain: whoever drains has to wait, no more."""
    api, mine = whole_lab.api, tmp_path / "kubeconfig"
    mine.write_text(whole_lab.kubeconfig.read_text().replace(api.admin_token, api.person_token))
    for seed in range(RESTARTS // 2):
        first, second = (random.Random(seed).uniform(*within) for within in ((0.0, 2.0), (2.5, 4.0)))
        with Running(mine, "node", "drain", NODE, "--settle", "0") as run:
            run.until("Claimed")
            restarts = [threading.Timer(delay, api.faults.restart) for delay in (first, second)]
            for restart in restarts:
                restart.start()
            ran = run.finish(60)
            for restart in restarts:
                restart.join()
        assert ran.code == 0, f"restarts {first:.2f} and {second:.2f} s after the claim: {ran.out}{ran.err}"
        eventually(lambda: not api.faults.restarting)
        lab.run_ok(whole_lab, "node", "restore", NODE)

"""What a running speaker makes of writes that belong together: a request to leave, a configuration in two
objects. Against the embedded API and a router."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.policy.annotations import LEAVE
from bgpctl.kube import paths
from bgpctl.kube.watch import Mirror
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.support import apiserver, bgppeer, clients, objects, speakers, v2
from tests.support.bgppeer import BgpPeer
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NAME, NODE, OTHER_LOCAL, ROUTER = "worker-1", "127.88.9.2", "127.88.9.3", "127.88.9.1"
POD = ip_network("10.244.1.0/24")


class Cluster:
    """The embedded API, a router, and every state that was ever published."""

    def __init__(self, server: ApiServer, router: BgpPeer, place: Path) -> None:
        self.server, self.router, self.place = server, router, place
        self.api, self.kubeconfig = clients.client(server), place / "kubeconfig"
        self.published: list[dict[str, Any]] = []
        server.write_kubeconfig(self.kubeconfig)
        server.apply(*crds())
        server.apply(objects.node(NAME))

    @contextmanager
    def speaker(self, *more: str) -> Iterator[SpeakerProcess]:
        given = ("--node-name", NAME, "--source-address", NODE, "--kubeconfig", self.kubeconfig)
        speaker = SpeakerProcess(self.place / "speaker", *given, *more).start()
        states: Mirror[Any] = Mirror(self.api, paths.NODE_STATES, lambda: None, slim=self._note).start()
        try:
            yield speaker
        finally:
            states.stop()
            speaker.end()

    def _note(self, state: dict[str, Any]) -> dict[str, Any]:
        self.published.append(state.get("status") or {})
        return state

    def node(self, *, selected: bool, leave: str | None) -> None:
        labels, annotations = {"enable-bgp": "true" if selected else "false"}, {LEAVE: leave}
        self.api.patch(paths.node(NAME), {"metadata": {"labels": labels, "annotations": annotations}})

    def last(self) -> dict[str, Any]:
        return self.published[-1] if self.published else {}

    def phase(self, phase: str, leave: str | None) -> dict[str, Any]:
        def there() -> bool:
            return (self.last().get("phase"), self.last().get("observedLeave")) == (phase, leave)

        eventually(there, why=f"{phase}, {leave}: {self.last()}")
        return self.last()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with (
        speakers.workplace() as place,
        BgpPeer(ROUTER) as router,
        apiserver.running(controllers=False) as server,
    ):
        yield Cluster(server, router, place)


@pytest.mark.alone
def test_a_request_to_leave_is_answered_by_its_name(cluster: Cluster) -> None:
    router = cluster.router
    neighbor = objects.neighbor(f"{router.address}/32", router.asn, peerPort=router.port)
    cluster.server.apply(objects.policy(objects.router(neighbor)))
    with cluster.speaker():
        eventually(lambda: POD in router.routes())
        cluster.phase("Running", None)
        cluster.node(selected=False, leave="drain-1")
        record = cluster.phase("Withdrawn", "drain-1")["withdrawn"]
        assert record["answers"] == "drain-1"
        early = [s for s in cluster.published if s.get("observedLeave") and s["phase"] == "Running"]
        assert not early, "a phase that was decided before must not look like an answer"

        cluster.node(selected=False, leave="drain-2")
        asked = time.monotonic()
        assert cluster.phase("Withdrawn", "drain-2")["withdrawn"] == record
        assert time.monotonic() - asked < 0.9, "at once, not with the pace of other changes"

        cluster.node(selected=True, leave=None)
        cluster.phase("Running", None)
        cluster.node(selected=False, leave="no name: it has spaces")
        assert "answers" not in cluster.phase("Withdrawn", None)["withdrawn"]


def test_a_configuration_and_its_override_start_one_session(cluster: Cluster) -> None:
    router = cluster.router
    peer = v2.peer("tor", router.address, peerASN=router.asn)
    port = {"transport": {"peerPort": router.port}}
    changed = {"name": "tor", "localAddress": OTHER_LOCAL}
    with cluster.speaker() as speaker:
        cluster.phase("Idle", None)
        cluster.server.apply(v2.peer_config(**port), v2.advertisement())
        for again in range(5):
            before = router.sessions
            cluster.server.apply(v2.cluster_config(v2.instance(peer)))
            time.sleep(0.05)  # as two objects of one `kubectl apply` come
            cluster.server.apply(v2.override({"name": "main", "routerID": "10.9.9.9", "peers": [changed]}))
            eventually(lambda: POD in router.routes() and cluster.last().get("phase") == "Running")
            assert router.sessions == before + 1, f"round {again}: {speaker.log[-3000:]}"
            hello = router.of_kind(bgppeer.OPEN, router.sessions)[0]
            assert hello.body[5:9] == bytes([10, 9, 9, 9])
            cluster.api.delete(f"{paths.CLUSTER_CONFIGS[0]}/rack")
            cluster.api.delete(f"{paths.OVERRIDES[0]}/{NAME}")
            eventually(lambda: cluster.last().get("phase") == "Withdrawn")

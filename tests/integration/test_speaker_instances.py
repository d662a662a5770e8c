"""Sixteen BGP instances, as many as a CiliumBGPClusterConfig may have, in one speaker with one ExaBGP."""

from __future__ import annotations

import json

import pytest
import yaml

from bgpctl.lab.routers.process import listening
from tests.support import bgppeer, objects, v2
from tests.support.bgppeer import BgpPeer
from tests.support.speakers import SpeakerProcess, workplace
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE, ROUTER = "127.88.16.100", "127.88.16.{}"
INSTANCES = range(1, 17)


def test_sixteen_instances_have_their_own_as_router_id_and_port() -> None:
    with workplace() as place, BgpPeer(ROUTER.format(1)) as first, BgpPeer(ROUTER.format(16)) as last:
        ports = {1: first.port, 16: last.port}
        instances = [
            v2.instance(
                v2.peer(
                    "tor", ROUTER.format(n), peerASN=0, peerConfigRef={"name": f"port-{ports.get(n, 9)}"}
                ),
                name=f"i{n}",
                localASN=65100 + n,
                localPort=20000 + n,
            )
            for n in INSTANCES
        ]
        overrides = [{"name": f"i{n}", "routerID": f"10.99.0.{n}"} for n in INSTANCES]
        settings = [
            v2.peer_config(f"port-{port}", transport={"peerPort": port}) for port in {9, *ports.values()}
        ]
        documents = [
            objects.node(),
            v2.cluster_config(*instances),
            v2.override(*overrides),
            *settings,
            v2.advertisement(v2.advert("PodCIDR")),
        ]
        state = place / "state.yaml"
        state.write_text(yaml.safe_dump_all(documents))
        speaker = SpeakerProcess(
            place / "s", "--node-name", "worker-1", "--source-address", NODE, "--file", state
        )
        try:
            speaker.start()
            for number, router in ((1, first), (16, last)):
                (hello,) = eventually(lambda router=router: router.of_kind(bgppeer.OPEN), why=speaker.log)
                assert int.from_bytes(hello.body[1:3]) == 65100 + number
                assert hello.body[5:9] == bytes([10, 99, 0, number])
                eventually(lambda router=router: router.routes(), why=speaker.log)
            for number in INSTANCES:
                eventually(lambda number=number: listening(NODE, 20000 + number), why=f"instance {number}")
            published = place / "s" / "state.json"
            eventually(lambda: json.loads(published.read_text())["status"]["sessions"] == "2/16")
            status = json.loads(published.read_text())["status"]
            assert {p["instance"]: p["localASN"] for p in status["peers"]} == {
                f"i{n}": 65100 + n for n in INSTANCES
            }
            assert status["phase"] == "Running" and "problems" not in status
        finally:
            speaker.end()

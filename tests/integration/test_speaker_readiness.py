"""A speaker that announces nothing before a URL and a command agree, at a router and at the URL's server."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from tests.support import bgppeer, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.cli import bgpctl
from tests.support.wait import eventually, throughout
from tests.support.worlds import World

pytestmark = pytest.mark.integration

NODE, ROUTER = "127.88.19.2", "127.88.19.1"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")
WEB, POD = ip_network("192.0.2.80/32"), ip_network("10.244.1.0/24")
AWAY = {"enable-bgp": "false"}


class Healthz:
    """kube-proxy's, say."""

    def __init__(self) -> None:
        self.code, self.asked = 503, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.code)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/healthz"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def healthz() -> Iterator[Healthz]:
    made = Healthz()
    yield made
    made.server.shutdown()
    made.server.server_close()


def status(world: World) -> dict[str, Any]:
    ran = bgpctl("speaker", "status", "--directory", str(world.directory), "-o", "json")
    return dict(json.loads(ran.out)) if ran.code == 0 else {}


def test_a_return_to_service_waits_for_the_url_and_the_command(healthz: Healthz) -> None:
    with speakers.workplace() as place, BgpPeer(ROUTER, graceful_restart=GRACEFUL) as router:
        world = World(place, router.address, router.port, router.asn, NODE)
        ready = place / "ready"
        checks = ("--ready-url", healthz.url, "--ready-command", f"test -e {ready}")
        with world.speaker("own", *checks) as speaker:
            eventually(lambda: len(router.ends_of_rib()) == 2, why="the session is up, and empty")
            speaker.says(f"nothing is announced yet: {healthz.url} answers 503; test ended with 1")
            assert status(world)["phase"] == "Starting"
            assert status(world)["absent"] == {"nodeReadinessNotConfirmed": 3}
            eventually(lambda: healthz.asked >= 3, why="it is asked again and again")
            healthz.code = 200
            speaker.says("nothing is announced yet: test ended with 1")
            assert router.routes() == set()
            ready.touch()
            eventually(lambda: {WEB, POD} <= router.routes())
            world.running()
            ready.unlink()
            healthz.code = 503
            asked = healthz.asked
            throughout(lambda: healthz.asked == asked, 2.5, why="open: nobody asks")
            assert router.sessions == 1

            world.write(WEB, labels=AWAY)
            eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
            throughout(lambda: healthz.asked == asked, 0.5, why="deselected: nobody asks")
            world.write(WEB)
            eventually(lambda: router.sessions == 2 and healthz.asked > asked, why="a return to service")
            assert router.routes() == set()
            healthz.code = 200
            ready.touch()
            eventually(lambda: {WEB, POD} <= router.routes())
            world.running()
            speaker.signal(signal.SIGTERM)
            assert speaker.wait(5) == 0
        healthz.code, asked = 503, healthz.asked
        with world.speaker("own", *checks) as speaker:
            eventually(lambda: router.sessions == 3 and {WEB, POD} <= router.routes())
            assert healthz.asked == asked, "a restart is no return to service"
        assert "Traceback" not in speaker.log

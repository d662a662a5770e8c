"""Routers whose session with the node is down, or that stop answering: no route is to be seen, or only stale
ones, and nothing is confirmed (docs/confirmed.md has the table). A real speaker, the embedded API.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.cluster import Lab
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support import vty
from tests.support.birdctl import Bird
from tests.support.cli import Ran
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
DONE, BLOCKED, DEADLINE = 0, 3, 4


def drain(lab: Lab, *flags: str) -> Ran:
    """Withdraw-first: the routers are asked at once."""
    order = ("--order", "withdraw-first", "--settle", "0")
    return kit.run(lab, "node", "drain", NODE, "-o", "json", *order, *flags)


def look(lab: Lab) -> RouterAnswer:
    return parse_probe(lab.router.probe()).routes_from(lab.address_of(NODE))


def back(answer: RouterAnswer, routes: int) -> bool:
    return answer.routes is RouteState.PRESENT and len(answer.paths) == routes


def unproved(ran: Ran, words: str) -> None:
    """It gave up, and said what it had seen."""
    assert ran.code == DEADLINE, ran.out
    assert "proof" not in ran.document
    assert words in ran.document["message"], ran.document["message"]
    assert "confirmed by" not in ran.out


# --- the router's own maintenance ---------------------------------------------------------------------------


def _vty(lab: Lab, word: str) -> None:
    """`neighbor N shutdown`, or no such line."""
    line = f"{word}neighbor {lab.address_of(NODE)} shutdown"
    vty.tell(lab.router.log_path.parent, "configure terminal", "router bgp 65000", line)


def _gobgp(lab: Lab, word: str) -> None:
    host, _, port = parse_probe(lab.router.probe()).target.rpartition(":")
    argv = ("gobgp", "-u", host, "-p", port, "neighbor", lab.address_of(NODE), word)
    subprocess.run(argv, check=True, capture_output=True)


def _openbgpd(lab: Lab, word: str) -> None:
    where = parse_probe(lab.router.probe()).target
    argv = ("/usr/sbin/bgpctl", "-s", where, "neighbor", lab.address_of(NODE), word)
    subprocess.run(argv, check=True, capture_output=True)


def _bird(lab: Lab, word: str) -> None:
    Bird(lab.router.log_path.parent / "bird.ctl").ask(f"{word} node1")


# Takes the session of the first node down, and lets it up again.
MAINTENANCE: Mapping[str, tuple[Callable[[Lab], None], Callable[[Lab], None]]] = {
    "bird": (lambda lab: _bird(lab, "disable"), lambda lab: _bird(lab, "enable")),
    "frr": (lambda lab: _vty(lab, ""), lambda lab: _vty(lab, "no ")),
    "gobgp": (lambda lab: _gobgp(lab, "disable"), lambda lab: _gobgp(lab, "enable")),
    "openbgpd": (lambda lab: _openbgpd(lab, "down"), lambda lab: _openbgpd(lab, "up")),
}


def test_a_session_that_the_router_took_down_is_not_confirmed_and_its_routes_come_back(
    helper_kind: str,
) -> None:
    """The manager hangs, so that its speaker does not leave, and ExaBGP announces on. A router that showed
    the routes before has none while its own session is down, and has them all again afterwards."""
    down, up = MAINTENANCE[helper_kind]
    with kit.running(helper_kind, nodes=2) as lab:
        routes = len(look(lab).paths)
        os.kill(lab.speakers[0].pid, signal.SIGSTOP)
        try:
            unproved(drain(lab, "--timeout", "2"), f"{routes} paths; session established")
            down(lab)
            # GoBGP, once in a hundred times on a busy machine, sees that the node closed before it has noted
            # that it had said Cease itself, and keeps the routes as stale ones.
            gone = (RouteState.ABSENT, RouteState.STALE)
            eventually(lambda: look(lab).routes in gone, why="the router dropped them")
            unproved(drain(lab, "--timeout", "4"), "waiting for the speaker to withdraw (now running)")
            up(lab)
            eventually(lambda: back(look(lab), routes), deadline=30, why="they come back")
        finally:
            os.kill(lab.speakers[0].pid, signal.SIGCONT)
        ran = drain(lab)
        assert (ran.code, ran.document["proof"]) == (DONE, "confirmed"), ran.out
        assert look(lab).routes is RouteState.ABSENT


# --- stale ones only ----------------------------------------------------------------------------------------


def test_stale_routes_are_not_absent(helper_kind: str) -> None:
    """The node crashed. Its routes are kept and forward: nobody's word makes them go."""
    with kit.running(helper_kind, nodes=2) as lab:
        lab.speakers[0].kill()
        eventually(lambda: look(lab).routes is RouteState.STALE, deadline=20)
        unproved(drain(lab, "--assume-dead", "--timeout", "4"), "still forwarding")
        assert look(lab).routes is RouteState.STALE


# --- answers that are none ----------------------------------------------------------------------------------

HALF = b'{"127.0.0.1": {"bgpState": "Established", '
ANSWERS = {
    "bird error": (b"0001 BIRD ready.\n", b"9001 syntax error\n"),
    "bird half": (b"0001 BIRD ready.\n", b"1002-node1      BGP        ---        up\n1006-  BGP st"),
    "bird nothing": (b"", b""),
    "frr error": (b"", b"% Can't open\n\0\0\0\x01"),
    "frr half": (b"", HALF),
    "frr half, ended": (b"", HALF + b"\0\0\0\0"),
    "frr nothing": (b"", b""),
}


@contextlib.contextmanager
def answering(path: Path, greeting: bytes, answer: bytes) -> Iterator[None]:
    """Whoever connects is greeted, and told the same whatever it asks. An empty answer is silence."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        lines = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    lines.append(line)  # kept open: half an answer is not an ended one
                    line.sendall(greeting)
                    threading.Thread(target=tell, args=(line,), daemon=True).start()

        def tell(line: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while line.recv(65536):
                    line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for line in lines:
                line.close()


def test_a_router_without_a_whole_answer_stops_the_drain_before_it_begins() -> None:
    require("bird")
    with kit.running("bird", nodes=2) as lab:
        before = state_of(lab)
        for name, (greeting, answer) in ANSWERS.items():
            kind, _, what = name.partition(" ")
            directory = lab.place.directory / what.replace(", ", "-") / kind
            directory.mkdir(parents=True)
            path = directory / ("bird.ctl" if kind == "bird" else "bgpd.vty")
            with answering(path, greeting, answer):
                target = path if kind == "bird" else directory
                ran = drain(lab, "--router-probe", f"{kind}={target}")
            assert ran.code == BLOCKED, f"{name}: {ran.out}"
            assert f"{kind} {lab.place.router_address} cannot be asked: " in ran.document["message"], name
            assert state_of(lab) == before, name


def state_of(lab: Lab) -> Any:
    """What a drain that is refused leaves as it was."""
    found = kit.node(lab, NODE)
    return found["metadata"]["labels"], found["metadata"].get("annotations"), found["spec"]


def test_a_router_that_stops_answering_in_the_middle_does_not_confirm() -> None:
    """It showed the routes before. Then its control socket is gone, while the speaker withdraws: the clock
    decides, and what is missing is said."""
    require("bird")
    with kit.running("bird", nodes=2) as lab:
        os.kill(lab.speakers[0].pid, signal.SIGSTOP)
        try:
            unproved(drain(lab, "--timeout", "2"), "paths; session established")
            control = Path(parse_probe(lab.router.probe()).target)
            control.rename(control.with_suffix(".away"))
        finally:
            os.kill(lab.speakers[0].pid, signal.SIGCONT)
        ran = drain(lab)
        assert (ran.code, ran.document["proof"]) == (DONE, "estimated"), ran.out
        (missing,) = ran.document["evidence"]["missing"]
        assert "cannot be asked: cannot reach BIRD at " in missing

"""The drivers from end to end against answers that real routers gave: what is asked, and what it comes to.

A socket or a client program says what tests/support/record_witness.py recorded, and refuses every other
question.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bgpctl.witness.asking import this_machine
from bgpctl.witness.bird import BirdProbe
from bgpctl.witness.command import Client
from bgpctl.witness.conversation import Conversation
from bgpctl.witness.exabgp import ExabgpProbe
from bgpctl.witness.frr import FrrProbe
from bgpctl.witness.gobgp import GobgpProbe
from bgpctl.witness.model import RouterAnswer, RouteState, Unanswered
from bgpctl.witness.openbgpd import OpenbgpdProbe
from bgpctl.witness.probe import Probe
from tests.support import router_paths
from tests.support.record_witness import DATA, MISSING, PREFIX, QUESTIONS, STRANGER, N


def recorded(kind: str, phase: str) -> dict[str, str]:
    """Question -> answer."""
    files = {name: DATA / kind / f"{name}.{phase}" for name in QUESTIONS[kind]}
    return {QUESTIONS[kind][name]: file.read_text() for name, file in files.items() if file.exists()}


@contextmanager
def serving(path: Path, answers: Mapping[str, bytes], greeting: bytes, end: bytes) -> Iterator[list[str]]:
    """One connection after the other at a Unix socket; the questions end with `end`."""
    asked: list[str] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line, line.makefile("rwb") as file:
                file.write(greeting)
                file.flush()
                heard = b""
                while octet := file.read(1):
                    heard += octet
                    if heard.endswith(end):
                        asked.append(heard.removesuffix(end).decode())
                        if asked[-1] not in answers:
                            break
                        file.write(answers[asked[-1]])
                        file.flush()
                        heard = b""

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def program(folder: Path, answers: Mapping[str, str], skip: int = 0) -> str:
    """A client program that answers by its arguments after the first `skip`."""
    cases = []
    for number, (question, answer) in enumerate(answers.items()):
        (folder / f"answer{number}").write_text(answer)
        cases.append(f"{shlex.quote(question)}) cat {folder}/answer{number};;")
    path = folder / "client"
    path.write_text(
        f'#!/bin/sh\nshift {skip}\ncase "$*" in\n' + "\n".join(cases) + "\n*) echo no >&2; exit 1;; esac\n"
    )
    path.chmod(0o700)
    return str(path)


@contextmanager
def router(kind: str, phase: str, folder: Path) -> Iterator[Probe]:
    answers = recorded(kind, phase)
    if kind == "bird":
        replies = {question: answer.encode() for question, answer in answers.items()}
        replies |= {"restrict": b"0016 Access restricted\n"}
        with serving(folder / "bird.ctl", replies, b"0001 BIRD ready.\n", b"\n"):
            yield BirdProbe(str(folder / "bird.ctl"))
    elif kind == "frr":
        replies = {question: answer.encode() + b"\0\0\0\0" for question, answer in answers.items()}
        with serving(folder / "bgpd.vty", replies, b"", b"\0"):
            yield FrrProbe(str(folder))
    elif kind == "gobgp":
        yield GobgpProbe("[::1]:50051", client=program(folder, answers, skip=4))
    else:
        yield OpenbgpdProbe("/run/bgpd.sock", client=program(folder, answers, skip=2))


KINDS = pytest.mark.parametrize("kind", ["bird", "frr", "gobgp", "openbgpd"])
STALE_SESSION = {"bird": "passive", "frr": "active", "gobgp": "active", "openbgpd": "active"}


@KINDS
@pytest.mark.parametrize("phase", ["live", "stale"])
def test_a_node_that_was_asked_about(kind: str, phase: str, tmp_path: Path) -> None:
    with router(kind, phase, tmp_path) as probe:
        seen = probe.routes_from(N)
    assert seen.router.split()[0] == kind and seen.neighbor == N and seen.at > 0
    assert seen.routes is (RouteState.PRESENT if phase == "live" else RouteState.STALE)
    assert sorted(str(path.prefix) for path in seen.paths) == ["10.9.1.0/24", "10.9.2.0/24", "fd00:9::/64"]
    assert {path.neighbor for path in seen.paths} == {N}
    assert seen.session in (("established",) if phase == "live" else (STALE_SESSION[kind], "idle"))
    assert seen.local == "127.0.0.10" or (phase == "stale" and not seen.local), "its own end of the session"
    assert seen.router_id == ("" if kind == "openbgpd" else "127.0.0.10"), "where it tells it"
    assert seen.machine == (this_machine() if kind == "openbgpd" else ""), "where it does not"
    told = kind in ("bird", "frr") and phase == "stale"
    assert (seen.seconds_remaining is not None and 50 < seen.seconds_remaining <= 60) is told


@KINDS
@pytest.mark.parametrize(("prefix", "count"), [(PREFIX, 2), (MISSING, 0)])
def test_a_prefix_that_was_asked_for(kind: str, prefix: str, count: int, tmp_path: Path) -> None:
    with router(kind, "live", tmp_path) as probe:
        paths = router_paths.paths(probe, ip_network(prefix))
    assert len(paths) == count and {str(path.prefix) for path in paths} <= {prefix}


@KINDS
def test_a_neighbor_that_the_router_does_not_have(kind: str, tmp_path: Path) -> None:
    with router(kind, "live", tmp_path) as probe:
        seen = probe.routes_from(STRANGER)
    assert (seen.routes, seen.paths) == (RouteState.UNKNOWN, ())
    assert seen.detail == f"router has no neighbor {STRANGER}"
    assert seen.stranger, "that is an answer"


# --- who does not answer ------------------------------------------------------------------------------------


def told(probe: Probe) -> str:
    seen: RouterAnswer = probe.routes_from(N)
    assert (seen.routes, seen.paths, seen.session) == (RouteState.UNKNOWN, (), "")
    return seen.detail


def test_nobody_is_there(tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    assert told(BirdProbe(str(missing))) == f"cannot reach BIRD at {missing}: No such file or directory"
    vty = missing / "bgpd.vty"
    assert told(FrrProbe(str(missing))) == f"cannot reach FRR's bgpd at {vty}: No such file or directory"
    assert told(GobgpProbe("127.0.0.1:1", client=str(missing))) == (
        f"cannot ask gobgp 127.0.0.1:1: {missing} is not installed"
    )
    assert (
        told(OpenbgpdProbe("/x", client=str(missing)))
        == f"cannot ask openbgpd /x: {missing} is not installed"
    )
    assert told(ExabgpProbe(str(missing))) == (
        f"cannot read {missing}: No such file or directory; is the lab running?"
    )


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("echo no such router >&2; exit 1", "cannot ask gobgp h:1: no such router"),
        ("echo one; echo two; exit 3", "cannot ask gobgp h:1: two"),
        ("exit 3", "cannot ask gobgp h:1: its client ended with 3"),
        ("echo '{'", "gobgp h:1 answered something that is no JSON: b'{\\n'"),
        ("true", f"router has no neighbor {N}"),
    ],
)
def test_a_client_that_has_no_answer(script: str, detail: str, tmp_path: Path) -> None:
    path = tmp_path / "client"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    assert told(GobgpProbe("h:1", client=str(path))) == detail


def test_a_client_that_may_not_be_run(tmp_path: Path) -> None:
    assert (
        told(GobgpProbe("h:1", client=str(tmp_path)))
        == f"cannot ask gobgp h:1: {tmp_path}: Permission denied"
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("192.0.2.1:50051", "-u 192.0.2.1 -p 50051"),
        ("[2001:db8::1]:7", "-u 2001:db8::1 -p 7"),
        ("router", "-u router -p router"),
    ],
)
def test_where_gobgp_is_asked(target: str, words: str, tmp_path: Path) -> None:
    """A target without a port is refused by the client, in its words."""
    path = tmp_path / "client"
    path.write_text('#!/bin/sh\necho "$@" >&2; exit 1\n')
    path.chmod(0o700)
    assert told(GobgpProbe(target, client=str(path))) == f"cannot ask gobgp {target}: {words} neighbor -j"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"% Unknown command.\0\0\0\1", f"FRR refused `show bgp neighbors {N} json`: % Unknown command."),
        (b"\0\0\0\2", f"FRR refused `show bgp neighbors {N} json`: 2"),
        (b"[]\0\0\0\0", f"FRR answered `show bgp neighbors {N} json` with something else than an object"),
        (b"{\0\0\0\0", "FRR answered something that is no JSON: '{'"),
        (b"\0\0\0\0", f"router has no neighbor {N}"),
    ],
)
def test_frr_that_has_no_answer(answer: bytes, detail: str, tmp_path: Path) -> None:
    with serving(tmp_path / "bgpd.vty", {f"show bgp neighbors {N} json": answer}, b"", b"\0"):
        assert told(FrrProbe(str(tmp_path))) == detail


def test_a_router_that_closes_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "bird.ctl"
    with serving(path, {}, b"0001 BIRD ready.\n", b"\n"):
        assert told(BirdProbe(str(path))) == f"BIRD at {path} closed the connection"


def test_bird_is_restricted_before_it_is_asked_anything(tmp_path: Path) -> None:
    path = tmp_path / "bird.ctl"
    with serving(path, {"restrict": b"0016 Access restricted\n"}, b"0001 BIRD ready.\n", b"\n") as asked:
        told(BirdProbe(str(path)))
    assert asked == ["restrict", "show protocols all"]


def test_a_deadline_that_has_passed(tmp_path: Path) -> None:
    with (
        pytest.raises(Unanswered, match="did not answer: timed out"),
        Conversation(str(tmp_path / "x"), "R", 0.0),
    ):
        pass
    client = Client("r", ("true",))
    client._ends = 0.0
    with pytest.raises(Unanswered, match=r"^r did not answer within 5 s$"):
        client.ask()


def test_a_receiver_that_does_not_run(tmp_path: Path) -> None:
    file = tmp_path / "rib.json"
    file.write_text('{"neighbors": {}, "pid": 4194305}')
    assert told(ExabgpProbe(str(file))) == f"the receiver that wrote {file} does not run any more"
    file.write_text("[]")
    assert told(ExabgpProbe(str(file))) == "the file is not one of the lab's receiver"
    assert told(ExabgpProbe(str(tmp_path))) == f"cannot read {tmp_path}: Is a directory; is the lab running?"


def test_what_the_receiver_has_of_a_prefix(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        N: {
            "session": "Established",
            "local": "192.0.2.9",
            "routes": {PREFIX: "192.0.2.1", "10.9.2.0/24": ""},
        }
    }
    text = '{{"pid": {}, "neighbors": {}}}'
    file = tmp_path / "rib.json"
    file.write_text(text.format(os.getpid(), json.dumps(document)))
    (path,) = router_paths.paths(ExabgpProbe(str(file)), ip_network(PREFIX))
    assert (path.neighbor, path.next_hop, path.stale) == (N, "192.0.2.1", False)
    assert ExabgpProbe(str(file)).routes_from(N).local == "192.0.2.9"
    assert ExabgpProbe(str(file)).routes_from(N).detail == (
        "2 paths; session Established. This receiver keeps no routes over a restart."
    )


def test_a_client_that_complains_in_json_is_quoted_in_words(tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.write_text('#!/bin/sh\necho \'{"error":"context deadline exceeded"}\'; exit 1\n')
    client.chmod(0o700)
    with pytest.raises(Unanswered) as caught:
        Client("gobgp 127.0.0.1:1", (str(client),)).ask("neighbor")
    assert caught.value.message == "cannot ask gobgp 127.0.0.1:1: context deadline exceeded"

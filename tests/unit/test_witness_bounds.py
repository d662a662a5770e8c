"""Whatever stands where a router should: a question ends in time, takes a bounded answer, and sends nothing
that was not made of typed values."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bgpctl.witness import model
from bgpctl.witness.bird import BirdProbe
from bgpctl.witness.exabgp import ExabgpProbe
from bgpctl.witness.frr import FrrProbe
from bgpctl.witness.gobgp import GobgpProbe
from bgpctl.witness.model import RouteState
from bgpctl.witness.openbgpd import OpenbgpdProbe
from bgpctl.witness.probe import Probe
from tests.unit.test_addresses import ATTACK

NODE = "192.0.2.11"
PATIENCE = 0.4


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bird", "frr", "command"):
        monkeypatch.setattr(f"bgpctl.witness.{module}.TIMEOUT_SECONDS", PATIENCE)
    for module in ("conversation", "command", "exabgp"):
        monkeypatch.setattr(f"bgpctl.witness.{module}.LONGEST", 1 << 20)


def trickle(line: socket.socket) -> None:
    """An octet now and then: every single `recv` is answered in time."""
    while True:
        line.sendall(b"7")
        time.sleep(0.002)


def flood(line: socket.socket) -> None:
    while True:
        line.sendall(b"7" * 65536)


@contextmanager
def router(path: Path, behave: Callable[[socket.socket], None]) -> Iterator[list[bytes]]:
    """A server that greets as BIRD does, notes what it is told, and answers with `behave`."""
    told: list[bytes] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                try:
                    line.sendall(b"0001 BIRD ready.\n" if path.name == "bird" else b"")
                    told.append(line.recv(4096))
                    behave(line)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def socket_probe(kind: str, directory: Path) -> tuple[Probe, Path]:
    if kind == "bird":
        return BirdProbe(str(directory / "bird")), directory / "bird"
    return FrrProbe(str(directory)), directory / "bgpd.vty"


@pytest.mark.parametrize("kind", ["bird", "frr"])
@pytest.mark.parametrize(("behave", "why"), [(trickle, "did not answer"), (flood, "more than 1 MiB")])
def test_a_socket_that_never_ends_its_answer(
    kind: str, behave: Callable[[socket.socket], None], why: str, tmp_path: Path
) -> None:
    probe, path = socket_probe(kind, tmp_path)
    with router(path, behave):
        begun = time.monotonic()
        seen = probe.routes_from(NODE)
        assert time.monotonic() - begun < PATIENCE + 1
    assert seen.routes is RouteState.UNKNOWN and why in seen.detail


def client(directory: Path, script: str) -> str:
    path = directory / "client"
    path.write_text(f"#!/bin/sh\necho $$ > {directory}/pid\n{script}\n")
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize("kind", [GobgpProbe, OpenbgpdProbe])
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("while :; do echo -n 7; sleep 0.01; done", "did not answer within"),
        ("exec sleep 60", "did not answer within"),
        ("exec >&- 2>&-; exec sleep 60", "did not answer within"),
        ("exec yes", "more than 1 MiB"),
        ("exec yes >&2", "more than 1 MiB"),
    ],
)
def test_a_client_that_never_ends(kind: Callable[..., Probe], script: str, why: str, tmp_path: Path) -> None:
    probe = kind("127.0.0.1:1", client=client(tmp_path, script))
    begun = time.monotonic()
    seen = probe.routes_from(NODE)
    assert time.monotonic() - begun < PATIENCE + 1
    assert seen.routes is RouteState.UNKNOWN and why in seen.detail
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_all_questions_to_one_router_have_one_deadline(tmp_path: Path) -> None:
    """Each answer alone would be in time."""
    view = {"state": {"neighbor_address": NODE}, "afi_safis": []}
    for afi in (1, 2):
        view["afi_safis"].append({"config": {"family": {"afi": afi, "safi": 1}}})  # type: ignore[attr-defined]
    script = (
        f"sleep {PATIENCE * 0.7:.2f}; case $5 in neighbor) echo '{json.dumps([view])}';; *) echo '{{}}'; esac"
    )
    begun = time.monotonic()
    seen = GobgpProbe("127.0.0.1:1", client=client(tmp_path, script)).routes_from(NODE)
    assert time.monotonic() - begun < PATIENCE + 1
    assert seen.routes is RouteState.UNKNOWN


def test_a_pipe_or_an_endless_file_is_no_receiver(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero", str(tmp_path)):
        assert ExabgpProbe(path).routes_from(NODE).routes is RouteState.UNKNOWN
    large = tmp_path / "large"
    large.write_bytes(b" " * (1 << 20) + b"{}")
    assert "no JSON" in ExabgpProbe(str(large)).routes_from(NODE).detail


@pytest.mark.parametrize("neighbor", [ATTACK, "fe80::1%x\nshutdown", "192.0.2.11\0enable", "-h", ""])
@pytest.mark.parametrize("kind", ["bird", "frr", "gobgp", "openbgpd", "exabgp"])
def test_what_is_no_address_is_never_sent(kind: str, neighbor: str, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = client(tmp_path, f'echo "$@" >> {asked}; echo "{{}}"')
    probes: dict[str, Probe] = {
        "gobgp": GobgpProbe("127.0.0.1:1", client=program),
        "openbgpd": OpenbgpdProbe("/x", client=program),
        "exabgp": ExabgpProbe("/nowhere"),
    }
    if kind in probes:
        seen, told = probes[kind].routes_from(neighbor), []
    else:
        probe, path = socket_probe(kind, tmp_path)
        with router(path, lambda line: line.sendall(b"{}\0\0\0\0")) as told:
            seen = probe.routes_from(neighbor)
    assert seen.routes is RouteState.UNKNOWN and "no neighbor's address" in seen.detail
    assert not told and not asked.exists()


def test_frr_is_only_ever_asked_to_show(tmp_path: Path) -> None:
    """No `enable`: the connection cannot change anything."""
    with router(tmp_path / "bgpd.vty", lambda line: line.sendall(b"{}\0\0\0\0")) as told:
        FrrProbe(str(tmp_path)).routes_from(NODE)
    assert told == [b"show bgp neighbors 192.0.2.11 json\0"]


@pytest.mark.parametrize("kind", ["frr", "openbgpd"])
def test_the_nodes_name_for_its_link_is_not_sent(kind: str, tmp_path: Path) -> None:
    """`fe80::2%eth0` is how the node knows itself; a router has other names for its own links."""
    if kind == "frr":
        with router(tmp_path / "bgpd.vty", lambda line: line.sendall(b"{}\0\0\0\0")) as told:
            FrrProbe(str(tmp_path)).routes_from("fe80::2%eth0")
        assert told == [b"show bgp neighbors fe80::2 json\0"]
    else:
        program = client(tmp_path, f'echo "$@" > {tmp_path}/asked')
        OpenbgpdProbe("/x", client=program).routes_from("fe80::2%eth0")
        assert (tmp_path / "asked").read_text().split()[-2:] == ["neighbor", "fe80::2"]


def test_bird_is_not_asked_about_a_name_that_breaks_out_of_its_quotes(tmp_path: Path) -> None:
    with pytest.raises(model.Unanswered, match="cannot be asked about"):
        from bgpctl.witness.bird import _quoted

        _quoted("x'all\x00")

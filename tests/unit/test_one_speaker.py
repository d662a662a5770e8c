"""The name that keeps a node to one speaker and one engine is in other hands: what is said of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from bgpctl.errors import UsageError
from bgpctl.exabgp import claim
from bgpctl.exabgp.claim import ENGINE, SPEAKER, Claim, Holder, Taken, holder_of, name_of
from bgpctl.speaker import alone as rules
from bgpctl.speaker.alone import alone
from tests.support.require import require

NOBODY = 65534
ALWAYS = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
squat = socket.socket(socket.AF_UNIX)
squat.bind("\\0" + sys.argv[1])
squat.listen()
print("ready", flush=True)
while True:
    comer, _ = squat.accept()
    comer.sendall(sys.argv[2].encode())
    comer.close()
"""


@pytest.fixture
def node() -> str:
    """Names of our own: the whole machine shares them."""
    return f"test-{uuid4()}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "DIES_SECONDS", 0.0)


@contextmanager
def squatted(name: str, directory: Path) -> Iterator[int]:
    """By another user, who says that it is the one of this directory."""
    found = directory.stat()
    words = f"{found.st_dev} {found.st_ino} {directory}"
    argv = (sys.executable, "-I", "-c", ALWAYS, name, words, str(NOBODY))
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def refused(directory: Path, node: str) -> UsageError:
    with pytest.raises(UsageError) as caught, alone(directory, node, None):
        pass
    assert isinstance(caught.value, UsageError)
    return caught.value


def test_whose_process_has_it(tmp_path: Path, node: str) -> None:
    name = name_of(SPEAKER, node, None)
    assert holder_of(name) is None
    held = Claim(name, tmp_path)
    holder = holder_of(name)
    assert holder is not None and (holder.pid, holder.uid) == (os.getpid(), os.getuid())
    assert holder.works_in(tmp_path) and not holder.stranger and not holder.silent
    held.close()


@pytest.mark.parametrize(
    ("uid", "stranger"), [(None, False), (0, False), (1000, False), (1001, True), (NOBODY, True)]
)
def test_who_is_a_stranger(monkeypatch: pytest.MonkeyPatch, uid: int | None, stranger: bool) -> None:
    monkeypatch.setattr(claim.os, "getuid", lambda: 1000)
    assert Holder(7, uid=uid).stranger is stranger


# --- a name that nobody listens on --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SPEAKER, ENGINE])
def test_one_who_does_not_listen_has_it_all_the_same(tmp_path: Path, node: str, kind: str) -> None:
    name = name_of(kind, node, None)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"\0{name}")
        assert holder_of(name) == Holder()
        with pytest.raises(Taken) as taken:
            Claim(name, tmp_path)
        assert taken.value.holder == Holder()
        error = refused(tmp_path, node)
        assert error.message == (
            f"a process has the name that keeps the BGP of node {node} to one speaker: it does not answer"
        )
        assert error.hint == f"to see who that is, as root on the node: ss -xap | grep {name}"
    assert holder_of(name) is None
    with alone(tmp_path, node, None):
        pass


def test_another_name_is_not_this_one(node: str) -> None:
    name = name_of(ENGINE, node, None)
    with socket.socket(socket.AF_UNIX) as longer, socket.socket(socket.AF_UNIX) as other:
        longer.bind(f"\0{name}-")
        other.bind(f"\0x{name}")
        assert holder_of(name) is None


# --- another user's -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SPEAKER, ENGINE])
def test_another_user_is_named(tmp_path: Path, node: str, kind: str) -> None:
    """Also if it says that it works in our directory, where an engine would be adopted."""
    require("root")
    name, engine = name_of(kind, node, None), tmp_path / "engine"
    engine.mkdir()
    with squatted(name, engine) as pid:
        holder = holder_of(name)
        assert holder is not None and (holder.pid, holder.uid) == (pid, NOBODY)
        error = refused(tmp_path, node)
        assert error.message == (
            f"process {pid} of user nobody has the name that keeps the BGP of node {node} to one speaker: "
            "it is no bgpctl of this user"
        )
        assert error.hint == f"to see what it is: ps -fp {pid}\nto end it, as root: kill {pid}"


def test_another_user_in_another_container(node: str) -> None:
    error = rules._squatter(Holder(0, uid=4242), "bgpctl-engine-x", node)
    assert error.message.startswith("a process of user 4242 has the name")
    assert error.hint == "to see who that is, as root on the node: ss -xap | grep bgpctl-engine-x"


@pytest.mark.parametrize("what", ["link", "fifo"])
def test_a_lock_that_is_no_file_of_its_own_is_not_touched(what: str, tmp_path: Path, node: str) -> None:
    victim, place = tmp_path / "victim", tmp_path / "speaker"
    victim.write_text("precious")
    place.mkdir()
    (place / "lock").symlink_to(victim) if what == "link" else os.mkfifo(place / "lock")
    with pytest.raises(UsageError) as told, alone(place, node, None):
        pass
    assert "None" not in str(told.value) and victim.read_text() == "precious"

"""The machine's clock jumps by an hour and by a year, under the manager and ExaBGP alike (libfaketime)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.kit import hostile_node, objects, speakers
from tests.kit.hostile import HOLD
from tests.kit.hostile_node import NAME, POD, WEB, node, written
from tests.kit.require import LIBFAKETIME, require
from tests.kit.wait import eventually, throughout

pytestmark = pytest.mark.hostile

HOUR, YEAR = 3600, 365 * 86400


@pytest.fixture
def place() -> Iterator[Path]:
    require("faketime")
    with speakers.workplace() as made:
        yield made


def set_clock(file: Path, offset: int) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(f"{offset:+d}\n")
    draft.replace(file)


def test_no_session_ends_when_the_clock_jumps(place: Path) -> None:
    clock = place / "clock"
    set_clock(clock, 0)
    faked = {
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with hostile_node.witness() as witness:
        base = [objects.node(NAME), hostile_node.policy(witness), hostile_node.secret()]
        path = written(place / "state.yaml", *base, *hostile_node.service("web", "192.0.2.80"))
        with node(place, "--file", path, environment=faked, witness=witness) as one:
            one.has(WEB, POD)
            began = time.time()
            for number, offset in enumerate((HOUR, -HOUR, YEAR)):
                set_clock(clock, offset)
                eventually(lambda o=offset: abs(one.state.heartbeat - time.time() - o) < 20)
                # longer than the hold time: either side would have ended the session by now
                throughout(lambda: witness.sessions == 1 and not witness.endings, HOLD + 1.5)
                (peer,) = (p for p in one.state.peers if p.port == witness.port)
                up = one.state.heartbeat - (peer.session.established_at or 0.0)
                assert 0 <= up <= time.time() - began + 30, f"uptime {up} after {offset:+d}"
                address = f"192.0.2.{100 + number}"
                written(
                    path,
                    *base,
                    *hostile_node.service("web", "192.0.2.80"),
                    *hostile_node.service("n", address),
                )
                one.has(ip_network(f"{address}/32"))
            assert not {WEB, POD} & one.withdrawn_so_far()
            one.untouched()


def test_the_clock_is_faked_at_all(place: Path) -> None:
    """Without this the test above could pass because nothing jumped."""
    clock = place / "clock"
    set_clock(clock, YEAR)
    faked = {**os.environ, "LD_PRELOAD": str(LIBFAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock)}
    argv = (sys.executable, "-c", "import time; print(time.time())")
    said = subprocess.run(argv, env=faked, capture_output=True, text=True, check=True).stdout
    assert float(said) > time.time() + YEAR - 60

"""The machine's clock jumps by an hour and by a year, under the manager and ExaBGP alike.

`time.time` of both is replaced as they start. Waits are not: Python's are on the monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.support import hostile_node, objects, speakers
from tests.support.hostile import HOLD
from tests.support.hostile_node import NAME, POD, WEB, node, service, written
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.hostile

HOUR, YEAR = 3600, 365 * 86400

JUMPING = """
import time
from pathlib import Path
offset, real = Path({clock!r}), time.time
time.time = lambda: real() + float(offset.read_text())
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


def set_clock(file: Path, offset: int) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(str(offset))
    draft.replace(file)


def test_no_session_ends_when_the_clock_jumps(place: Path) -> None:
    clock, modules = place / "clock", place / "modules"
    set_clock(clock, 0)
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(JUMPING.format(clock=str(clock)))
    with hostile_node.witness() as witness:
        web = service("web", "192.0.2.80")
        base = [objects.node(NAME), hostile_node.policy(witness), hostile_node.secret(), *web]
        path = written(place / "state.yaml", *base)
        with node(place, "--file", path, environment={"PYTHONPATH": str(modules)}, witness=witness) as one:
            one.has(WEB, POD)
            began = time.time()
            for number, offset in enumerate((HOUR, -HOUR, YEAR)):
                set_clock(clock, offset)
                # The manager dates the heartbeat, ExaBGP the session: both must have jumped.
                eventually(lambda o=offset: abs(one.state.heartbeat - time.time() - o) < 20)
                eventually(lambda o=offset, b=began: abs(_established(one) - b - o) < 20)
                # longer than the hold time: either side would have ended the session by now
                throughout(lambda: witness.sessions == 1 and not witness.endings, HOLD + 1.5)
                up = one.state.heartbeat - _established(one)
                assert 0 <= up <= time.time() - began + 20, f"uptime {up} after {offset:+d}"
                address = f"192.0.2.{100 + number}"
                written(path, *base, *service("new", address))
                one.has(ip_network(f"{address}/32"))
            assert not {WEB, POD} & one.withdrawn_so_far()
            one.untouched()


def _established(one: hostile_node.Node) -> float:
    (peer,) = (p for p in one.state.peers if p.port == one.witness.port)
    return peer.session.established_at or 0.0

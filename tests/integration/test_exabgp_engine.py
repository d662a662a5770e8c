"""The engine's life with a real child: start, death, configuration, secrets."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Withdraw
from bgpctl.core.model import Attributes, Secret, SessionState
from bgpctl.errors import BgpctlError, Temporary
from tests.support import bgppeer
from tests.support.bgppeer import BgpPeer
from tests.support.engines import EngineUnderTest, detached, engine, new_router, peer, up
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ONE, TWO, THREE = (ip_network(f"10.9.{n}.0/24") for n in (1, 2, 3))
SIX = ip_network("fd00:9::/64")


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with new_router() as one:
        yield one


def test_a_dead_child_is_seen_and_replaced(eng: EngineUnderTest, router: BgpPeer) -> None:
    one = up(eng, router, ONE)
    eng.kill()
    seen = eng.observed()
    assert (dict(seen.peers), dict(seen.announced)) == ({}, {})
    with pytest.raises(Temporary):
        eng.perform(Withdraw(one.name, (ONE,)))
    with pytest.raises(Temporary) as refused:
        eng.start()
    assert refused.value.retry_after is not None and refused.value.retry_after <= 0.2

    eng.start_when_allowed()
    assert (eng.observed().generation, eng.restarts) == (2, 1)
    up(eng, router, ONE)
    assert eng.session(lambda s: s.established).flaps == 1


def test_an_engine_that_died_a_thousand_times_is_started_once_more(eng: EngineUnderTest) -> None:
    eng._deaths = 5000
    eng.kill()
    eng.start_when_allowed()
    assert "5001 times in a row" in eng.trouble


def test_a_thread_that_dies_without_a_word_is_seen_and_replaced(
    eng: EngineUnderTest, router: BgpPeer
) -> None:
    """Whatever it said before: the kernel ends ExaBGP with the thread that started it."""
    up(eng, router, ONE)
    child = eng._child
    assert child is not None and eng.trouble == ""
    child._end = lambda reason: None  # type: ignore[method-assign]
    assert child._link is not None
    child._link.hang_up()
    eventually(lambda: eng.trouble == "the thread that owns the BGP engine is gone")
    seen = eng.observed()
    assert (seen.running, dict(seen.peers), dict(seen.announced)) == (False, {}, {})
    eng.start_when_allowed()
    assert eng.trouble == ""
    up(eng, router, ONE)


def test_an_engine_that_stays_is_adopted_again_when_its_thread_died(router: BgpPeer) -> None:
    with detached() as manager:
        eng = manager()
        eng.start()
        up(eng, router, ONE)
        child = eng._child
        assert child is not None and child._link is not None
        child._end = lambda reason: None  # type: ignore[method-assign]
        child._link.hang_up()
        eng.until(lambda seen: not seen.running)
        assert eng.trouble == "the thread that owns the BGP engine is gone"
        eng.start_when_allowed()
        assert eng.trouble == "" and eng.observed().announced
        assert (router.sessions, router.routes()) == (1, {ONE})


def test_a_bug_in_the_engines_thread_is_its_end_and_told(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE)
    child = eng._child
    assert child is not None and child._link is not None

    def broken() -> None:
        raise ValueError("nobody foresaw it")

    child._link._on_poll = broken
    eng.until(lambda seen: not seen.running)
    assert "bug: ValueError" in eng.trouble
    eng.start_when_allowed()
    up(eng, router, ONE)


def test_no_password_outside_the_private_file(eng: EngineUnderTest) -> None:
    secret = "p4ss w\"o'rd"
    one = peer("127.0.0.9", 1, password=Secret(secret))
    eng.perform(Configure((one,)))
    eng.session(lambda s: s.state is SessionState.ACTIVE)
    config = eng.directory / "exabgp.conf"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(eng.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((eng.directory / "engine.sock").stat().st_mode) == 0o600
    pid = eng._child.pid if eng._child else 0
    told = " ".join(p.read_text() for p in (Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")))
    told += " ".join(eng.logged) + (eng.directory / "exabgp.log").read_text()
    for word in (secret, "cDRzcyB3Im8ncmQ="):
        assert word not in told
    assert "cDRzcyB3Im8ncmQ=" in config.read_text()


def test_a_changed_neighbor_list_leaves_the_others_alone(eng: EngineUnderTest, router: BgpPeer) -> None:
    one = up(eng, router, ONE)
    with new_router() as second:
        two = peer(second.address, second.port)
        eng.perform(Configure((one, two)))
        assert eng.observed().announced[one.name] == {ONE: Attributes()}
        eng.perform(Announce(two.name, Attributes(), (TWO,)))
        eventually(lambda: second.routes() == {TWO})
        eng.perform(Leave((two.name,)))
        eng.perform(Configure((one,)))
        eng.perform(Announce(one.name, Attributes(), (THREE,)))
        eventually(lambda: router.routes() == {ONE, THREE})
    assert router.sessions == 1


def test_a_changed_hold_time_keeps_the_routes(eng: EngineUnderTest, router: BgpPeer) -> None:
    """The session starts again, silently under graceful restart, with the routes that were announced."""
    one = up(eng, router, ONE)
    eng.perform(Configure((peer(one.address, one.port, hold_time=30),)))
    session = eng.session(lambda s: s.hold_time == 30 and s.end_of_rib)
    assert session.flaps == 1
    eventually(lambda: router.sessions == 2 and router.routes() == {ONE})
    assert router.of_kind(bgppeer.NOTIFICATION) == []


def test_a_changed_identity_starts_empty(eng: EngineUnderTest, router: BgpPeer) -> None:
    """To ExaBGP it is another neighbor: the engine must not believe that its routes are announced."""
    one = up(eng, router, ONE)
    eng.perform(Configure((peer(one.address, one.port, local="127.0.0.1"),)))
    seen = eng.observed()
    assert not seen.announced.get(one.name)
    assert one.name not in seen.synced


def test_no_peers_at_all(eng: EngineUnderTest) -> None:
    eng.perform(Configure(()))
    assert eng.observed().running
    assert eng.observed().peers == {}


def test_an_action_for_an_unknown_peer_is_refused_and_the_engine_lives(eng: EngineUnderTest) -> None:
    with pytest.raises(Temporary, match="no peer nobody"):
        eng.perform(Announce("nobody", Attributes(), (ONE,)))
    eng.perform(Configure(()))


def test_an_engine_that_cannot_have_its_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BgpctlError, match="cannot use"):
        EngineUnderTest(tmp_path / "file" / "engine").start()


def test_the_child_dies_with_a_killed_speaker(router: BgpPeer, tmp_path: Path) -> None:
    """kill -9 of the speaker: neither ExaBGP nor its relay stays."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from bgpctl.exabgp.engine import Engine\n"
        "engine = Engine(Path(sys.argv[1]), ring=lambda: None)\n"
        "engine.start()\n"
        "print(engine._child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    speaker = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "e")], stdout=subprocess.PIPE)
    try:
        assert speaker.stdout is not None
        child = int(speaker.stdout.readline())
        relay = int(Path(f"/proc/{child}/task/{child}/children").read_text().split()[0])
    finally:
        speaker.kill()
        speaker.wait()
    eventually(lambda: not any(alive(pid) for pid in (child, relay)))


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False

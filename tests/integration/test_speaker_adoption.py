"""`bgpctl speaker run` dies, its engine does not, the next one adopts it. At a router that records
every message."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.support import bgppeer, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.cli import bgpctl
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually, throughout
from tests.support.worlds import World

pytestmark = pytest.mark.integration

NODE, ROUTER = "127.88.2.2", "127.88.2.1"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")  # 120 s, IPv4 and IPv6, forwarding kept
OLD, NEW, POD = (ip_network(p) for p in ("192.0.2.80/32", "192.0.2.81/32", "10.244.1.0/24"))


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with BgpPeer(ROUTER, graceful_restart=GRACEFUL) as made:
        yield made


@pytest.fixture
def world(place: Path, router: BgpPeer) -> Iterator[World]:
    made = World(place, router.address, router.port, router.asn, NODE)
    yield made
    made.end()


def heard(router: BgpPeer) -> list[bgppeer.Message]:
    return [m for m in list(router.messages) if m.kind != bgppeer.KEEPALIVE]


def has(router: BgpPeer, *prefixes: Any) -> None:
    """Exactly these of IPv4; the node's IPv6 pod network comes and goes with the IPv4 one."""
    eventually(lambda: ipv4(router) == set(prefixes), why=f"{prefixes}: {router.routes()}")


def ipv4(router: BgpPeer) -> set[Any]:
    return {prefix for prefix in router.routes() if prefix.version == 4}


def adopted(speaker: SpeakerProcess, times: int = 1) -> None:
    eventually(lambda: speaker.log.count("engine.adopted") == times, why=speaker.log)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_world_changes_while_nobody_manages(
    world: World, router: BgpPeer, number: signal.Signals
) -> None:
    """One announce and one withdraw: no OPEN, no NOTIFICATION, no End-of-RIB, nothing twice."""
    with world.speaker() as first:
        has(router, OLD, POD)
        before = world.running()
        first.signal(number)
        first.wait(5)
    words = len(heard(router))
    world.write(NEW)
    throughout(lambda: ipv4(router) == {OLD, POD}, 0.5)
    with world.speaker() as second:
        has(router, NEW, POD)
        adopted(second)
        after = eventually(lambda: world.state() if world.state()["startedAt"] != before["startedAt"] else {})
        throughout(lambda: len(heard(router)) <= words + 2, 0.5)
    said = heard(router)[words:]
    assert [message.kind for message in said] == [bgppeer.UPDATE] * 2
    changes = [bgppeer.decode_update(message.body) for message in said]
    assert [change.end_of_rib for change in changes] == ["", ""]
    assert [(set(c.withdrawn), set(c.announced)) for c in changes] == [({OLD}, set()), (set(), {NEW})]
    assert (router.sessions, router.endings) == (1, [])
    peer, peer_before = after["peers"][0], before["peers"][0]
    assert peer["establishedTime"] == peer_before["establishedTime"]
    assert peer.get("flaps", 0) == peer_before.get("flaps", 0) == 0
    assert after.get("engineRestarts", 0) == 0


@pytest.mark.parametrize("engine", ["detached", "own"])
def test_a_node_that_is_deselected_while_nobody_manages_leaves_when_somebody_does(
    world: World, router: BgpPeer, engine: str
) -> None:
    with world.speaker() as first:
        has(router, OLD, POD)
        world.running()
        first.signal(signal.SIGKILL)
        first.wait(5)
    world.write(OLD, labels={"enable-bgp": "false"})
    with world.speaker(engine):
        (goodbye,) = eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
        assert goodbye.body[:2] == bytes([6, 2])
        has(router)
        eventually(lambda: world.state().get("phase") == "Withdrawn")
        record = world.state()["withdrawn"]
        assert [peer["flushed"] for peer in record["peers"]] == [True]
        assert record["routes"] == 3


def test_a_leave_that_outlives_its_speaker_is_proved_by_the_engine(world: World, router: BgpPeer) -> None:
    """Killed after it was told to leave and before it could write down how that went."""
    with world.speaker() as first:
        has(router, OLD, POD)
        world.running()
        router.reading.clear()  # so that it waits for the router's side to close, a second at most
        world.write(OLD, labels={"enable-bgp": "false"})
        eventually(lambda: world.state().get("phase") == "Leaving", interval=0.01)
        first.signal(signal.SIGKILL)
        first.wait(5)
    assert "withdrawn" not in world.state()
    router.reading.set()
    eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
    with world.speaker() as second:
        eventually(lambda: world.state().get("phase") == "Withdrawn", why=second.log)
        state = world.state()
        second.says("speaker.leave_recalled")
        assert [peer["flushed"] for peer in state["withdrawn"]["peers"]] == [True]
        assert state["withdrawn"]["routes"] == 3
        assert state["startedAt"] <= state["withdrawn"]["observedTime"], "a drain takes it for its own"
        world.write(OLD)
        eventually(lambda: router.sessions == 2)
        has(router, OLD, POD)


def test_a_policy_that_became_invalid_meanwhile_withdraws_nothing(world: World, router: BgpPeer) -> None:
    with world.speaker() as first:
        has(router, OLD, POD)
        world.running()
        first.signal(signal.SIGKILL)
        first.wait(5)
    words = len(heard(router))
    good, neighbors = world.policy, world.policy["spec"]["virtualRouters"][0]["neighbors"]
    world.policy = objects.policy(objects.router(*neighbors, *neighbors))  # the same peer twice
    world.write(NEW)
    with world.speaker() as second:
        second.says("what the adopted engine announces is kept")
        throughout(lambda: len(heard(router)) == words, 1.0)
        world.policy = good
        world.write(NEW)
        has(router, NEW, POD)
    assert router.sessions == 1


def test_an_engine_that_died_while_nobody_managed_is_followed_by_another(
    world: World, router: BgpPeer
) -> None:
    with world.speaker() as first:
        has(router, OLD, POD)
        world.running()
        first.signal(signal.SIGKILL)
        first.wait(5)
    for pid in world.processes():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not world.processes())
    world.write(NEW)
    with world.speaker():
        eventually(lambda: router.sessions == 2)
        has(router, NEW, POD)
        eventually(lambda: world.state().get("engineRestarts") == 1)
        assert router.ends_of_rib(2) == ["ipv4", "ipv6"]


def test_a_second_speaker_is_refused_by_name(world: World, router: BgpPeer) -> None:
    with world.speaker() as first:
        has(router, OLD, POD)
        assert first.process is not None
        with world.speaker() as second:
            assert second.wait(10) == 2
        assert f"another speaker runs in {world.directory} (process {first.process.pid})" in first.log
        (world.directory / "lock").unlink()  # as a clean-up of /tmp may do
        with world.speaker() as third:
            third.says(f"another speaker (process {first.process.pid}) manages the BGP engine")
            world.write(OLD, NEW)
            has(router, OLD, NEW, POD)
    assert router.sessions == 1


def test_stop_ends_the_engine_as_for_a_restart_and_only_when_nobody_manages_it(
    world: World, router: BgpPeer
) -> None:
    with world.speaker() as speaker:
        has(router, OLD, POD)
        world.running()
        refused = world.stop_engine()
        assert refused.code == 1 and speaker.process is not None
        assert f"another speaker (process {speaker.process.pid})" in refused.err
        speaker.signal(signal.SIGTERM)
        assert speaker.wait(5) == 0
    assert router.endings == []
    done = world.stop_engine()
    assert (done.code, "has ended: as for a restart, so routers may keep its routes" in done.out) == (
        0,
        True,
    ), done
    eventually(lambda: router.endings)
    assert router.of_kind(bgppeer.NOTIFICATION) == []
    assert not any(update.withdrawn for update in router.updates())
    assert world.processes() == []
    assert [path.name for path in (world.directory / "engine").iterdir()] == ["generation"]
    again = world.stop_engine()
    assert (again.code, "no BGP engine runs" in again.out) == (0, True)


def test_stop_with_leave_withdraws(world: World, router: BgpPeer) -> None:
    with world.speaker():
        has(router, OLD, POD)
        world.running()
    assert world.stop_engine("--leave").code == 0
    has(router)
    assert eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))[0].body[:2] == bytes([6, 2])


def test_an_external_engine_is_waited_for_adopted_and_never_ended(world: World, router: BgpPeer) -> None:
    with world.speaker("external") as speaker:
        speaker.says("no BGP engine runs in")
        with world.engine() as engine:
            has(router, OLD, POD)
            assert bgpctl("speaker", "engine", "run", "--directory", str(world.directory)).code == 1
            world.running()
            speaker.signal(signal.SIGTERM)
            assert speaker.wait(5) == 0
            words = len(heard(router))
            with world.speaker("external") as second:
                adopted(second, 2)
                world.write(OLD, NEW)
                has(router, OLD, NEW, POD)
            assert len(heard(router)) == words + 1
            assert router.endings == []
            engine.send_signal(signal.SIGTERM)
            assert engine.wait(10) == 0
    eventually(lambda: router.endings)
    assert router.of_kind(bgppeer.NOTIFICATION) == []


def test_an_external_engine_that_ends_withdraws_where_the_router_would_not_keep_the_routes(
    place: Path,
) -> None:
    with BgpPeer(ROUTER) as plain:
        world = World(place, plain.address, plain.port, plain.asn, NODE)
        with world.engine() as engine, world.speaker("external") as speaker:
            has(plain, OLD, POD)
            speaker.signal(signal.SIGKILL)
            speaker.wait(5)
            engine.send_signal(signal.SIGTERM)
            assert engine.wait(10) == 0
        has(plain)
        assert eventually(lambda: plain.of_kind(bgppeer.NOTIFICATION))[0].body[:2] == bytes([6, 2])


def test_an_external_engine_that_is_restarted_is_filled_again(world: World, router: BgpPeer) -> None:
    """Routes before the session, so that a router with graceful restart drops nothing."""
    with world.speaker("external"):
        with world.engine():
            has(router, OLD, POD)
            world.running()
        eventually(lambda: router.endings)
        with world.engine():
            eventually(lambda: router.sessions == 2)
            has(router, OLD, POD)
            eventually(lambda: router.ends_of_rib(2) == ["ipv4", "ipv6"])
            eventually(lambda: world.state().get("engineRestarts") == 1)


def test_which_engine() -> None:
    asked = bgpctl("speaker", "engine", "stop")
    assert asked.code == 2 and "--directory DIR or --node-name NODE" in asked.err

"""What a speaker keeps on its own disk beside what it tells the cluster, and which the next one believes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.state import MOST_WRITES, LocalAddresses, NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.speaker import places
from bgpctl.speaker.status.memory import Memory, newest, remembered
from bgpctl.speaker.status.publisher import LONGEST, FileSink, Pace
from tests.support.rig import Rig, world
from tests.support.snapshots import ROUTER, ROUTER_2, peer, running
from tests.support.wait import eventually

OLD, NEW = NodeState("n", "Running", heartbeat=100.0), NodeState("n", "Withdrawn", heartbeat=200.0)


class Api:
    """The object, or why it is not there."""

    def __init__(self, state: NodeState | None = None, error: Exception | None = None) -> None:
        self.state, self.error = state, error

    def read(self) -> NodeState | None:
        if self.error:
            raise self.error
        return self.state

    def write(self, state: NodeState) -> None:
        if self.error:
            raise self.error
        self.state = state


def kept(place: Path, state: NodeState | None = None) -> FileSink:
    sink = FileSink(places.memory(place, "n"))
    if state is not None:
        sink.write(state)
    return sink


# --- which is believed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "believed"),
    [
        ((None, None), None),
        ((None, OLD), OLD),
        ((OLD, None), OLD),
        ((OLD, NEW), NEW),
        ((NEW, OLD), NEW),
        ((OLD, replace(OLD, phase="Idle")), OLD),
        ((OLD, replace(NEW, node="m")), OLD),
        ((replace(NEW, node="m"), None), None),
    ],
)
def test_the_newest_of_this_node(found: tuple[NodeState | None, ...], believed: NodeState | None) -> None:
    assert newest("n", *found) == believed


def numbered(state: NodeState, sequence: int, uid: str = "process-1") -> NodeState:
    return replace(state, sequence=sequence, uid=uid)


@pytest.mark.parametrize("uids", [("process-1", "process-1"), ("process-1", "process-2")])
def test_a_clock_that_was_an_hour_ahead_when_it_was_told_makes_nothing_newer(uids: tuple[str, str]) -> None:
    ahead, now = numbered(replace(NEW, heartbeat=3800.0), 7, uids[0]), numbered(OLD, 8, uids[1])
    assert newest("n", ahead, now) == newest("n", now, ahead) == now


def test_what_either_of_two_processes_knows_of_routers_is_kept() -> None:
    """Whether the later one had read what the other told, nobody knows; of one and the same it is known."""
    first = replace(running(peer(ROUTER)), node="n", sequence=7, uid="process-1")
    last = replace(first, peers=(peer(ROUTER_2),), sequence=8)
    assert newest("n", first, last) == last
    other = replace(last, uid="process-2")
    assert newest("n", first, other) == replace(other, unwithdrawn=(peer(ROUTER),))
    nobody = replace(last, uid=""), replace(first, uid="")
    assert newest("n", *nobody) == replace(nobody[0], unwithdrawn=(peer(ROUTER),))


def test_the_same_router_is_kept_where_the_session_came_from_another_address() -> None:
    session = peer(ROUTER).session
    one, other = (
        replace(peer(ROUTER), session=replace(session, local_address=ip_address(local)))
        for local in ("10.0.0.1", "10.0.0.2")
    )
    first = replace(running(one), node="n", sequence=7, uid="process-1")
    last = replace(first, peers=(other,), sequence=8, uid="process-2")
    assert newest("n", first, last) == replace(last, unwithdrawn=(one,))
    assert newest("n", first, replace(last, peers=(one,))) == replace(last, peers=(one,))
    assert remembered(first) != remembered(replace(first, peers=(other,))), "it is written at once"


def test_addresses_that_another_speaker_told_stand_in_the_object_only() -> None:
    ours = replace(running(peer(ROUTER)), node="n", sequence=7, uid="process-1", heartbeat=9.0)
    told = replace(ours, heartbeat=5.0, locals=(LocalAddresses(ROUTER, 179, ("10.0.0.2", "10.0.0.1")),))
    kept = replace(ours, locals=(LocalAddresses(ROUTER, 179, ("10.0.0.1",)),))
    assert newest("n", told, kept) == told, "of equals the first"
    assert newest("n", told, replace(kept, sequence=8)) == replace(kept, sequence=8, locals=told.locals)


@pytest.mark.parametrize("found", [1, 2**53])
def test_what_is_told_is_newer_than_all_that_was_read(tmp_path: Path, found: int) -> None:
    """As far as there are numbers: a state that is refused would look like a dead speaker."""
    api, file = Api(numbered(OLD, 1)), kept(tmp_path, numbered(NEW, found, "process-0"))
    with started(api, file) as memory:
        memory.read()
        memory.write(NEW)
        memory.write(NEW)  # the same again is no news
        eventually(lambda: api.state and api.state.sequence == min(found + 1, 2**53))
        eventually(lambda: (file.read() or OLD).sequence == min(found + 1, 2**53))
    assert api.state and api.state.phase == "Stopped" and api.state.sequence == min(found + 2, 2**53)


@pytest.mark.parametrize("told", [None, OLD, NEW])
def test_the_file_counts_where_it_is_newer(tmp_path: Path, told: NodeState | None) -> None:
    file = kept(tmp_path, replace(OLD, heartbeat=150.0))
    read = Memory("n", Api(told), file).read()
    assert read is not None and read.heartbeat == (200.0 if told is NEW else 150.0)


def test_what_the_api_server_says(tmp_path: Path) -> None:
    """One that is away may know better, so it is waited for; one that refuses is not."""
    refused, away = BgpctlError("forbidden"), Temporary("no answer")
    assert Memory("n", Api(error=refused), kept(tmp_path, OLD)).read() == OLD
    with pytest.raises(Temporary):
        Memory("n", Api(error=away), kept(tmp_path)).read()
    (tmp_path / "other").mkdir()
    with pytest.raises(BgpctlError, match="forbidden"):
        Memory("n", Api(error=refused), kept(tmp_path / "other")).read()


# --- what may be in its place -------------------------------------------------------------------------------


def big(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LONGEST + 2)


def linked(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text(json.dumps(to_document(NEW)))
    path.symlink_to(elsewhere)


OTHERS = json.dumps(to_document(replace(NEW, node="m")))
DEEP = '{"metadata": {"name": "n"}, "status": ' + "[" * 100_000


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text(""),
        lambda path: path.write_text(OTHERS),
        lambda path: path.write_text(OTHERS[: len(OTHERS) // 2]),
        lambda path: path.write_text(DEEP),
        lambda path: path.write_bytes(os.urandom(1000)),
        lambda path: path.write_text('{"metadata": {"name": "n"}, "status": {"heartbeatTime": "soon"}}'),
        big,
        linked,
        os.mkfifo,
        Path.mkdir,
    ],
    ids=("empty", "other node", "half", "deep", "noise", "no time", "big", "link", "pipe", "directory"),
)
def test_what_is_not_ours_is_not_there(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(places.memory(tmp_path, "n"))
    assert Memory("n", Api(OLD), kept(tmp_path)).read() == OLD
    assert Memory("n", Api(), kept(tmp_path)).read() is None


def test_two_nodes_in_one_directory(tmp_path: Path) -> None:
    """One after the other, as the directory's lock has it."""
    assert places.memory(tmp_path, "n") != places.memory(tmp_path, "m")


# --- how it is written --------------------------------------------------------------------------------------


@contextmanager
def started(told: Api, file: FileSink) -> Iterator[Memory]:
    memory = Memory("n", told, file)
    memory.start()
    try:
        yield memory
    finally:
        memory.close(NodeState("n", "Stopped"))


def test_it_is_kept_whatever_the_api_server_says(tmp_path: Path) -> None:
    file = kept(tmp_path)
    with started(Api(error=BgpctlError("forbidden")), file) as memory:
        memory.write(OLD)
        eventually(lambda: (file.read() or NEW).phase == "Running")
        eventually(lambda: memory.untold == "forbidden")
        assert memory.unkept == memory.trouble == ""
    last = file.read()
    assert last is not None and last.phase == "Stopped"
    assert places.memory(tmp_path, "n").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_nothing_costs_a_sentence(tmp_path: Path) -> None:
    api = Api()
    with started(api, kept(tmp_path / "gone")) as memory:
        memory.write(OLD)
        eventually(lambda: api.state and api.state.phase == "Running")
        eventually(lambda: memory.unkept)
        assert "is not kept on its disk ([Errno 2] No such file or directory" in memory.unkept
        assert memory.untold == memory.trouble == ""
        (tmp_path / "gone").mkdir()
        eventually(lambda: not memory.unkept, deadline=10)
    rig = Rig(world(), unkept=lambda: "it is not kept")
    rig.tick()
    assert "it is not kept" in rig.state.problems


def test_a_router_is_written_down_at_once() -> None:
    """A speaker may be killed in the second in which its first session came up."""
    pace = Pace(urgent=remembered)
    before = running(peer(ROUTER))
    more = running(peer(ROUTER), peer(ROUTER_2))
    for other in (replace(before, peers=()), more, replace(before, phase="Leaving")):
        assert pace.due(other, before, 50.0, 0) == 50.0
    assert pace.due(replace(before, announced=9), before, 50.0, 0) == 51.0
    lost = replace(before, peers=(), unwithdrawn=before.peers)
    assert pace.due(lost, before, 50.0, 0) == 51.0, "the same router"


def test_counts_wait_on_the_way_to_the_api_server_only(tmp_path: Path) -> None:
    memory = Memory("n", Api(), kept(tmp_path))
    assert memory._told._waiting is not None
    assert memory._kept is not None and memory._kept._waiting is None
    assert Memory("n", kept(tmp_path))._told._waiting is None, "a speaker without Kubernetes"


def test_a_session_that_is_not_up_hides_no_router_of_the_process_before() -> None:
    here = peer(ROUTER)
    own = replace(running(here), node="n", sequence=7, uid="process-1")
    off = replace(here.session, state=SessionState.ACTIVE, local_address=None)
    told = replace(own, peers=(replace(here, session=off),), sequence=9, uid="process-2")
    found = newest("n", told, own)
    assert found is not None and found.unwithdrawn == (here,)
    assert newest("n", told, replace(own, peers=told.peers)) == told


def test_where_the_numbers_have_come_to_their_end_no_router_is_forgotten() -> None:
    """A damaged file: whichever of the two was told later, nobody knows any more (issue 7)."""
    both = replace(running(peer(ROUTER), peer(ROUTER_2)), node="n", sequence=MOST_WRITES, uid="process-1")
    one = replace(both, peers=(peer(ROUTER),))
    for found in ((one, both), (both, one)):
        last = newest("n", *found)
        assert last is not None and {each.address for each in last.holders} == {ROUTER, ROUTER_2}

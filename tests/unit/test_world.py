"""What a run writes down of itself: its steps, and why it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

import pytest

from bgpctl.kube import paths
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.actions import ReleaseLease, TakeLease
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.routers import Routers
from tests.support import second_writer
from tests.support.direct import EPOCH
from tests.support.second_writer import NODE, Rig

DONE = Decision(Status.DONE, "it holds")
PROVED = Decision(Status.DONE, "it holds", evidence={"proof": "confirmed", "by": "x"})


@pytest.fixture
def rig() -> Iterator[Rig]:
    with second_writer.running() as started:
        yield started


def patches(client: second_writer.Interrupted) -> int:
    return client.sent.count(("PATCH", paths.node(NODE)))


def test_a_step_is_written_down_once_unless_its_proof_is_new(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    begun = patches(client)
    rig.clock.at += 7.0
    world.finish("Cordoned", DONE, last=False)
    assert rig.journal is not None and rig.journal.steps == {"Cordoned": EPOCH + 7.0}
    world.finish("Cordoned", DONE, last=False)
    assert patches(client) == begun + 1
    world.finish("Cordoned", PROVED, last=False)
    assert rig.journal.evidence == PROVED.evidence
    rig.clock.at += 1.0
    world.finish("Cordoned", DONE, last=True)
    assert rig.journal.steps == {"Cordoned": EPOCH + 8.0}, "the last one always: it was true of this version"
    assert rig.journal.evidence == PROVED.evidence
    assert patches(client) == begun + 3


def test_the_last_step_is_written_down_though_somebody_removed_the_journal(rig: Rig) -> None:
    """While the shutdown command ran: the run was done, and the node nobody's (issue 7, story 7100636)."""
    world = rig.owner()
    before = rig.journal
    assert before is not None
    rig.remove_journal()
    world.observe(frozenset())
    world.finish("ShutDown", DONE, last=True)
    assert rig.journal is not None and rig.journal.finished("ShutDown")
    assert (rig.journal.run, rig.journal.prior_labels) == (before.run, before.prior_labels)


def test_without_a_journal_nothing_is_written_down(rig: Rig) -> None:
    client = rig.client()
    world = rig.world("run-a", client)
    world.observe(frozenset())
    world.finish("Claimed", DONE, last=True)
    assert client.writes() == []


def test_what_was_released_is_not_ours_to_write(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    world.perform(ReleaseLease())
    begun = patches(client)
    world.finish("Released", DONE, last=True)
    assert patches(client) == begun


def test_the_end_of_a_run(rig: Rig) -> None:
    world = rig.owner()
    rig.clock.at += 0.0006
    world.conclude("blocked", "x" * 600)
    assert rig.journal is not None
    assert rig.journal.ending == {"status": "blocked", "reason": "x" * 500, "at": EPOCH + 0.001}


def test_a_run_that_was_replaced_leaves_the_word_to_the_other(rig: Rig) -> None:
    world = rig.owner()
    other = rig.take_over()
    before = rig.node
    world.conclude("blocked", "taken over")
    assert rig.node == before
    other.close()


def test_who_does_not_own_the_node_writes_no_end(rig: Rig) -> None:
    rig.owner().close()
    client = rig.client()
    world = rig.world("run-b", client)
    world.observe(frozenset())
    world.conclude("interrupted", "")
    assert client.writes() == []


def test_a_run_that_has_left_nothing_has_nothing_to_explain(rig: Rig) -> None:
    """It was refused before its journal began."""
    client = rig.client()
    world = rig.world("run-a", client)
    world.observe(frozenset())
    world.perform(TakeLease())
    world.conclude("blocked", "refused")
    assert patches(client) == 0 and rig.journal is None


def test_an_api_server_that_is_away_is_no_second_trouble(rig: Rig) -> None:
    world = rig.owner()
    rig.away.add("nodes")
    world.conclude("failed", "it is away")
    rig.away.clear()

    def interrupt() -> None:
        raise KeyboardInterrupt

    client = rig.client()
    other = rig.world("run-b", client)
    client.before("GET", paths.node(NODE), interrupt)
    other.conclude("interrupted", "")  # ^C twice


def test_closing_gives_the_lease_back(rig: Rig) -> None:
    world = rig.owner()
    world.close()
    left = rig.lease()
    assert left is not None and not left["spec"].get("holderIdentity"), "it keeps the journal's copy"
    rig.world("run-b").close()  # one that holds nothing


def test_the_world_of_a_run(rig: Rig) -> None:
    """Its time is over at one instant, for its requests and for its commands."""
    client = rig.client()
    made = worlds.build(client, NODE, "run-a", timeout=40.0, routers=Routers(), clock=rig.clock)
    assert client.ends == EPOCH + 40.0
    assert made.performer.until == EPOCH + 40.0
    assert made.hold.background, "somebody renews its Lease while it waits"
    assert (made.now(), made.monotonic()) == (EPOCH, EPOCH)
    made.wait(2.5)
    assert made.now() == EPOCH + 2.5
    assert made.hold.holder.partition("/")[2].startswith("run-a-")
    assert (made.observer.max_unavailable, made.observer.lifted) == (1, frozenset())
    assert made.observer.profile_of("192.0.2.9").name == "unknown"
    alone = worlds.build(client, NODE, "run-a", timeout=inf, routers=Routers())
    assert isinstance(alone.hold.clock, Clock)


def test_a_journal_that_was_seen_is_the_last_word(rig: Rig) -> None:
    world = rig.owner()
    record = world.observe(frozenset()).journal
    assert record is not None
    newer = replace(record, leaves=2)
    rig.annotate(**{ANNOTATION: dump(newer)})
    world.observe(frozenset())
    assert world.last_journal == newer

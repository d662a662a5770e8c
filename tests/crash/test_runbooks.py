"""Every runbook, killed before and after every single write, ends in the same world when run again: on the
real performer and the embedded API.

The inverse tests show that the harness would notice: a world that really differs compares as different, and
the crash really happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.runbooks import perform
from bgpctl.runbooks.journal import load
from tests.interleaving import runs, seeded
from tests.interleaving.models import Probe
from tests.interleaving.runs import Run
from tests.interleaving.story import Story, stage

pytestmark = pytest.mark.crash

Begin = Callable[[Story, str, int], Run]
TIMEOUT = 60.0  # the Lease of a killed run has to expire first


@pytest.fixture(autouse=True)
def staged() -> Iterator[None]:
    with stage():
        yield


def drain(order: str = "guide", *, probed: bool = True, **options: Any) -> Begin:
    def begin(story: Story, name: str, dies: int = -1) -> Run:
        probes = (Probe(story, seeded.ROUTER),) if probed else ()
        made = runs.drain(story, name, order=order, probes=probes, timeout=TIMEOUT, dies=dies, **options)
        return story.begin(made)

    return begin


def restore(story: Story, name: str, dies: int = -1) -> Run:
    return story.begin(runs.restore(story, name, timeout=TIMEOUT, dies=dies))


def serving(*, cordoned: bool = False) -> Story:
    """The node in service, always the same."""
    story = Story(1)
    perform.child = runs.Commands(story)  # type: ignore[assignment]
    spec = {"unschedulable": True} if cordoned else {}
    story.modify(paths.node(seeded.NODE), lambda old: {**old, "spec": {"podCIDRs": [seeded.CIDR], **spec}})
    return story


def dead() -> Story:
    """Its speaker died long ago."""
    story = serving()
    story.speaker.kill()
    story.quiet(400.0)
    return story


def drained(**options: Any) -> Story:
    story = serving(**options)
    run = drain()(story, "earlier", -1)
    story.run()
    assert run.result and run.result.status == "done"
    return story


def after(story: Story) -> dict[str, Any]:
    """The world without clocks and names of runs, for comparison."""
    node = story.node()
    assert node is not None
    journal = load(node["metadata"].get("annotations"))
    return {
        "labels": node["metadata"]["labels"],
        "unschedulable": bool(node["spec"].get("unschedulable")),
        "pods": sorted(p["metadata"]["name"] for p in story.promise.chosen(seeded.NODE)),
        "routes": {router: sorted(found) for router, found in story.has().items()},
        "journal": journal and (journal.command, journal.prior_unschedulable, dict(journal.prior_labels)),
        "copy": story.copied(),
        "held": story.lease_holder(),
        "powered off": any("command poweroff" in line for line in story.log),
    }


CASES = [
    pytest.param(serving, drain(), id="drain, guide order"),
    pytest.param(serving, drain("withdraw-first"), id="drain, withdraw first"),
    pytest.param(serving, drain(command=True), id="drain with a shutdown command"),
    pytest.param(lambda: serving(cordoned=True), drain(), id="drain of a node cordoned by an admin"),
    pytest.param(serving, drain(probed=False), id="drain, nobody can ask the router"),
    pytest.param(dead, drain(probed=False, assume_dead=True), id="drain, speaker dead"),
    pytest.param(drained, restore, id="restore"),
    pytest.param(lambda: drained(cordoned=True), restore, id="restore, cordoned before"),
]


@pytest.mark.parametrize(("start", "begin"), CASES)
def test_killed_anywhere_it_ends_in_the_same_world(start: Callable[[], Story], begin: Begin) -> None:
    unharmed = start()
    run = begin(unharmed, "unharmed", -1)
    unharmed.run()
    assert run.result and run.result.status == "done", run.result or run.problem
    assert len(run.writes) > 5

    for dies in range(2 * len(run.writes)):
        story = start()
        begin(story, "killed", dies)
        story.run()
        assert any("killed: killed" in line for line in story.log), dies
        story.quiet(1.0)
        again = begin(story, "again", -1)
        story.run()
        assert again.result and again.result.status == "done", (dies, again.result or again.problem)
        assert after(story) == after(unharmed), dies


@pytest.mark.parametrize("dies", range(0, 20, 3))
def test_a_run_killed_twice_still_ends_there(dies: int) -> None:
    unharmed, story = serving(), serving()
    drain()(unharmed, "unharmed", -1)
    unharmed.run()
    for name, one in (("first", dies), ("second", dies // 2)):
        drain()(story, name, one)
        story.run()
    last = drain()(story, "last", -1)
    story.run()
    assert last.result and last.result.status == "done"
    assert after(story) == after(unharmed)


@pytest.mark.parametrize("dies", range(30))
def test_a_drain_killed_anywhere_can_be_restored_instead(dies: int) -> None:
    """The engineer changes their mind: whatever the drain did is undone, except that pods moved away."""
    story = serving()
    before = after(story)
    drain()(story, "killed", dies)
    story.run()
    last = restore(story, "restore")
    story.run()
    story.quiet(2.0)
    assert last.result and last.result.status == "done", last.result or last.problem
    now = after(story)
    for untouched in ("labels", "unschedulable", "routes", "journal", "copy", "held"):
        assert now[untouched] == before[untouched], untouched


def test_inverse_the_comparison_would_notice() -> None:
    assert after(drained()) != after(serving())
    assert after(drained(cordoned=True)) != after(drained())


def test_inverse_without_a_second_run_the_world_is_half_way() -> None:
    story = serving()
    drain()(story, "killed", 9)
    story.run()
    assert after(story) not in (after(serving()), after(drained()))

"""One interleaving from one number: who runs, who else writes, and when. Then the dust settles, and the
promise is asked for what must hold in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from bgpctl.kube import lease, paths
from bgpctl.runbooks import perform
from tests.interleaving import runs, seeded, writers
from tests.interleaving.models import Probe, World
from tests.interleaving.promise import Broken, Promise
from tests.interleaving.runs import Run

JUST_BEFORE = 8  # turns before a write in which what it was decided on may still change
COMMAND_TAKES, COMMAND_FAILS = (0.0, 2.0, 8.0), 0.1
WATCHED = 90.0  # seconds for which routes have to stay away after the last word


@dataclass(slots=True)
class Story(World):
    """A World in which things happen by plan."""

    promise: Any = None
    commands: list[Run] = field(default_factory=list)
    plan: list[tuple[int, str, Any]] = field(default_factory=list)
    prior_cordon: bool = False
    journal_removed: bool = False
    lease_removed: bool = False
    replaced: bool = False
    pods: int = 0
    down: list[int] = field(default_factory=list)
    losing: bool = False

    def __post_init__(self) -> None:
        World.__post_init__(self)
        self.promise = Promise(self)
        self.at_turn = self._happen
        self.prior_cordon = self.rng.random() < 0.2
        if self.prior_cordon:
            self.modify(
                paths.node(seeded.NODE), lambda old: {**old, "spec": {**old["spec"], "unschedulable": True}}
            )

    # -- asked by the models and runs

    def trouble(self) -> int | None:
        """The status of an API server that is away (0 = no answer), None while it is there."""
        return self.down.pop(0) if self.down else None

    def lost_answer(self) -> bool:
        lost, self.losing = self.losing, False
        return lost

    def running(self) -> Run:
        """The run that acts now."""
        return next(run for run in self.commands if run.actor is self._current)

    def copied(self) -> bool:
        """Is there a copy of a journal in the Lease?"""
        found = self.find(writers.LEASE)
        return bool(found and lease.view(found).copy)

    # -- the plan

    def begin(self, run: Run) -> Run:
        self.commands.append(run)
        return run

    def _happen(self, turn: int) -> None:
        while self.plan and self.plan[0][0] <= turn:
            _, what, do = self.plan.pop(0)
            self.say(f"-- {what}")
            do(self)


def tell(seed: int, *always: writers.Writer) -> Story:
    """Plan the interleaving of this number, in which these writers act too, and live it. Raises Broken (or
    Endless)."""
    story = Story(seed)
    rng = story.rng
    probe = _probes(story)
    order = rng.choice(("guide", "guide", "withdraw-first"))
    how = {"order": order, "command": rng.random() < 0.3}
    first = story.begin(runs.drain(story, "first", **how, probes=probe))
    when = _undisturbed(tuple(how.items()), tuple((one.target, one.peer) for one in probe))
    perform.child = runs.Commands(story, COMMAND_TAKES, COMMAND_FAILS)  # type: ignore[assignment]
    acts = (*_plan(story, probe, first, when), *((_moment(rng, when), one.__name__, one) for one in always))
    story.plan = sorted(acts, key=lambda entry: entry[0])
    story.run()
    for run in story.commands:
        story.promise.ended(run)
    stays_away(story)
    if seed % 4 == 0:
        _ends_well(story, probe)
    return story


@cache
def _undisturbed(how: tuple[tuple[str, Any], ...], probes: tuple[tuple[str, Any], ...]) -> tuple[int, ...]:
    """The turns at which a drain of this kind writes while nobody else does anything; at last, its end."""
    story = Story(0)
    perform.child = runs.Commands(story, COMMAND_TAKES[-1:])  # type: ignore[assignment]
    asked = tuple(Probe(story, *one) for one in probes)
    run = story.begin(runs.drain(story, "first", **dict(how), probes=asked))
    story.run()
    return (*run.wrote_at, story.turns)


def _moment(rng: Random, when: tuple[int, ...]) -> int:
    """A turn: any, or one shortly before a write, which is where a promise breaks."""
    if rng.random() < 0.5:
        return rng.randrange(when[-1])
    return max(0, rng.choice(when) - rng.randrange(JUST_BEFORE))


def _probes(story: Story) -> tuple[Probe, ...]:
    """No router asked, the right one, both that the node may come to have, or one that is another router."""
    first, second = Probe(story, seeded.ROUTER, seeded.ROUTER), Probe(story, seeded.SECOND, seeded.SECOND)
    wrong = Probe(story, seeded.SECOND, seeded.ROUTER)
    return story.rng.choice(((), (first,), (first,), (first, second), (wrong,)))


def _plan(
    story: Story, probe: tuple[Probe, ...], first: Run, when: tuple[int, ...]
) -> Iterator[tuple[int, str, Any]]:
    rng = story.rng
    for _ in range(rng.randint(1, 3)):
        writer = rng.choice(writers.WRITERS)
        yield _moment(rng, when), writer.__name__, writer
    for number in range(rng.choice((0, 1, 1, 2))):
        name, what, begin = _another(story, probe, first, f"more{number}")
        yield _moment(rng, when), f"{name}: {what}", begin


def _another(story: Story, probe: tuple[Probe, ...], first: Run, name: str) -> tuple[str, str, Any]:
    """One more command, or a blow to the first."""
    rng = story.rng
    what = rng.choice(
        ("drain --take-over", "restore --take-over", "restore", "drain of the other", "dry-run", "status",
         "pause", "kill, drain again", "kill, restore")
    )  # fmt: skip

    def begin(_: World) -> None:
        actor = first.actor
        assert actor is not None
        match what:
            case "drain --take-over":
                story.begin(runs.drain(story, name, take_over=True, probes=probe))
            case "restore --take-over":
                story.begin(runs.restore(story, name, take_over=True))
            case "restore":
                story.begin(runs.restore(story, name))
            case "drain of the other":
                story.begin(runs.drain(story, name, node=seeded.OTHER))
            case "dry-run":
                story.begin(runs.dry_run(story, name))
            case "status":
                story.begin(runs.status(story, name))
            case "pause":
                actor.wake = story.t + rng.choice((3.0, 20.0, 40.0))
                story.promise.stopped(first)
            case "kill, drain again":
                _kill(story, first)
                story.begin(runs.drain(story, name, probes=probe))
            case _:
                _kill(story, first)
                story.begin(runs.restore(story, name))

    return name, what, begin


def _kill(story: Story, run: Run) -> None:
    """kill -9. What the process knew is gone with it."""
    assert run.actor is not None
    if run in story.commands and not run.actor.let.dead:
        story.kill(run.actor)
        story.promise.stopped(run)
        story.commands.remove(run)


def stays_away(story: Story) -> None:
    """Whoever called the node safe to power off was right for longer than a moment, unless somebody acted."""
    done = [
        r for r in story.commands if r.result and r.result.command == "drain" and r.result.status == "done"
    ]
    last = story.commands[-1:] == done[-1:]
    node = story.node()
    if node is None:  # a machine of its name is about to join
        return
    out = node["metadata"]["labels"].get(seeded.LABEL) != "true"
    if done and last and out and done[-1].node == seeded.NODE:
        story.quiet(WATCHED)
        if story.has():
            raise Broken(f"{done[-1].name} was done, and the routes came back: {story.has()}")


def _ends_well(story: Story, probe: tuple[Probe, ...]) -> None:
    """With nobody in the way any more, a drain gets there, and a restore brings the prior state back."""
    story.down, story.losing, story.plan = [], False, []
    story.quiet(60.0)
    speaker = story.speaker
    if not speaker.alive:
        speaker.start()
    speaker.hung = False
    speaker.react()
    for router in story.routers.values():
        router.answers, router.down = True, False
    speaker.connect()
    story.quiet(20.0)
    story.promise.budget = 2  # the other node may be out by now
    for begin in (runs.drain, runs.restore):
        more = {"budget": 2} if begin is runs.drain else {}
        run = story.begin(begin(story, f"last-{begin.__name__}", take_over=True, **more))
        story.run()
        if run.result is None or run.result.status != "done":
            raise Broken(f"{run.name} does not get there: {run.result or run.problem!r}")
        story.promise.ended(run)
        story.quiet(5.0)
    node = story.node()
    assert node is not None
    cordoned = bool(node["spec"].get("unschedulable"))
    label = (node["metadata"].get("labels") or {}).get(seeded.LABEL)
    if label != "true" or cordoned != story.prior_cordon:
        prior = "cordoned" if story.prior_cordon else "schedulable"
        raise Broken(f"the prior state is lost: {label=}, {cordoned=}; it was {prior}")
    if not story.has():
        raise Broken("restored, and no router has a route")


@contextmanager
def stage() -> Iterator[None]:
    """While stories are told in this process, no command is really run."""
    before = perform.child
    try:
        yield
    finally:
        perform.child = before

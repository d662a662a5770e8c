"""Interleavings that once broke the promise, each by what happened in it: a number tells another story as
soon as a run sends one request more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bgpctl.runbooks import perform
from bgpctl.runbooks.perform import Performer
from tests.interleaving import runs, seeded, writers
from tests.interleaving.models import Probe
from tests.interleaving.story import Story, _undisturbed, stage, stays_away

pytestmark = pytest.mark.interleaving

LAST_BEFORE = 8  # the write by which Evicted is done; the next one relabels


@dataclass(frozen=True, slots=True)
class LabelledMeanwhile(runs.Commands):
    """While the shutdown command runs, somebody puts the label back."""

    def run(
        self, argv: list[str], timeout: float | None, still: Callable[[], None] = lambda: None
    ) -> tuple[int, str]:
        told = runs.Commands.run(self, argv, timeout, still)
        writers.label_back(self.sim)
        self.sim.pause(2.0)
        return told


def _told(story: Story, commands: Any = runs.Commands, **how: Any) -> runs.Run:
    """One drain to its end."""
    perform.child = commands(story)
    run = story.begin(runs.drain(story, f"run-{len(story.commands)}", **how))
    story.run()
    story.promise.ended(run)
    assert run.result is not None and run.result.status == "done", run.problem
    return run


def test_a_drain_that_was_done_is_no_word_for_the_one_that_goes_on() -> None:
    """The label was put back during the shutdown command, and the node is drained again: that run has said
    nothing until it made its own last check."""
    with stage():
        story = Story(0)
        _told(story, LabelledMeanwhile, command=True)
        story.quiet(30.0)
        assert story.has(), "it announces again"
        _told(story)
        assert not story.has()


def test_a_machine_that_joins_under_the_name_brings_no_routes_back() -> None:
    """They are its own. The harness took them for those of the node that was drained."""
    with stage():
        story = Story(0)
        _told(story)
        writers.replace_node(story)
        stays_away(story)
        story.quiet(10.0)
        assert story.has(), "it joined, and announces"


def test_inverse_routes_that_come_back_are_noticed() -> None:
    with stage():
        story = Story(0)
        _told(story)
        story.later(10.0, story.speaker._serve)
        with pytest.raises(AssertionError, match="the routes came back"):
            stays_away(story)


@dataclass(frozen=True, slots=True)
class TakenOver(runs.Commands):
    """While it runs, another run takes the node over."""

    def run(
        self, argv: list[str], timeout: float | None, still: Callable[[], None] = lambda: None
    ) -> tuple[int, str]:
        story = self.sim
        assert isinstance(story, Story)
        if len(story.commands) == 1:
            story.begin(runs.drain(story, "next", take_over=True))
        return runs.Commands.run(self, argv, timeout, still)


def _replaced() -> Story:
    story = Story(0)
    perform.child = TakenOver(story, takes=(8.0,))  # type: ignore[assignment]
    story.begin(runs.drain(story, "first", command=True))
    story.run()
    return story


def test_a_command_has_ended_when_whoever_took_over_begins() -> None:
    with stage():
        first, following = _replaced().commands
    assert first.result is not None and first.result.status == "blocked"
    assert following.result is not None and following.result.status == "done"


def test_inverse_a_command_that_goes_on_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Performer, "_still_ours", lambda self: None)
    with stage():
        _, following = _replaced().commands
    assert "while the shutdown command of first runs" in str(following.problem)


def _second_router_untold(story: Story) -> None:
    """The policy gets a second router; what the speaker knows of it is lost with it, and the next one takes
    a while to start."""
    speaker = story.speaker
    writers.add_peer(story)
    speaker.react()
    speaker.phase = "Stopped"
    speaker._publish(at_once=True)
    speaker.kill()
    speaker.left.clear()
    story.later(3.0, speaker.start)


def test_a_peer_of_which_no_speaker_told_confirms_nothing() -> None:
    """Between two steps, right before the node is relabelled: the only one that was asked confirmed the
    drain, while the other router kept the routes (585976)."""
    with stage():
        story = Story(0)
        asked = (Probe(story, seeded.ROUTER, seeded.ROUTER),)
        wrote = _undisturbed((("order", "guide"), ("command", False)), ((seeded.ROUTER, seeded.ROUTER),))
        story.plan = [(wrote[LAST_BEFORE] + 1, "a second router", _second_router_untold)]
        run = _told(story, probes=asked)
    assert run.result is not None and run.result.proof == "estimated", run.result

"""The engine on goals made of a set of facts: it keeps what it reached, tells what it waits for, and ends as
what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest

from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Exit, Tells, Temporary, UsageError
from bgpctl.kube.client import Conflict
from bgpctl.runbooks import engine
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.model import Decision, Event, Result, Status
from bgpctl.runbooks.snapshot import Snapshot
from tests.support.snapshots import node, snapshot

DONE, ACT, WAIT, BLOCKED = Status.DONE, Status.ACT, Status.WAIT, Status.BLOCKED
TYPED = CommandLine(("bgpctl", "node", "drain", "n1", "--order", "withdraw-first"))
CONFLICT = Conflict(409, "Conflict", "somebody wrote", {})


@dataclass
class Deed:
    """An action: it makes a fact true."""

    makes: str
    error: BaseException | None = None
    effect: bool = True

    def __str__(self) -> str:
        return f"make {self.makes}"


@dataclass
class Goal:
    """The fact of its name, which its deed brings about; `sees` are the parts that it needs."""

    name: str
    sees: tuple[str, ...] = ()
    decide_by: Callable[[Snapshot], Decision] | None = None
    title = "a goal"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.sees)

    def decide(self, s: Snapshot) -> Decision:
        if self.decide_by:
            return self.decide_by(s)
        if self.name in s.node.labels:
            return Decision(DONE, f"{self.name} holds")
        return Decision(ACT, f"{self.name} is to come", (Deed(self.name),))


@dataclass
class Facts:
    """A world of facts. `script` are things that others do just before the n-th look."""

    script: dict[int, Callable[[Facts], object]] = field(default_factory=dict)
    facts: set[str] = field(default_factory=set)
    looks: list[frozenset[str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    finished: list[tuple[str, bool]] = field(default_factory=list)
    concluded: tuple[str, str] | None = None
    closed: bool = False
    changed: bool = False
    at: float = 1000.0
    extra: dict[str, Any] = field(default_factory=dict)
    failing: list[BaseException] = field(default_factory=list)

    def now(self) -> float:
        return self.at + 1_800_000_000

    def monotonic(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def observe(self, needs: frozenset[str]) -> Snapshot:
        self.looks.append(needs)
        self.script.get(len(self.looks) - 1, lambda _: None)(self)
        return snapshot(now=self.now(), node=node(labels=dict.fromkeys(self.facts, "")), **self.extra)

    def perform(self, action: Any) -> bool:
        if action.error is not None:
            error, action.error = action.error, None
            raise error
        self.facts.add(action.makes)
        self.done.append(action.makes)
        self.changed = True
        return bool(action.effect)

    def finish(self, step: str, decision: Decision, *, last: bool) -> None:
        if self.failing:
            raise self.failing.pop(0)
        self.finished.append((step, last))

    def conclude(self, status: str, reason: str) -> None:
        self.concluded = (status, reason)

    def close(self) -> None:
        self.closed = True


def run(world: Facts, *goals: Goal, timeout: float = 100.0) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    going = engine.run("drain", "n1", "run-a", goals, world, timeout, TYPED)
    while True:
        try:
            events.append(next(going))
        except StopIteration as end:
            return end.value, [event for event in events if event.kind != "steps"]


def raising(error: BaseException) -> Callable[[Facts], object]:
    def script(_: Facts) -> object:
        raise error

    return script


def lose(name: str) -> Callable[[Facts], object]:
    return lambda world: world.facts.discard(name)


A, B, C, LAST = Goal("A"), Goal("B", ("pods",)), Goal("C"), Goal("Last", ("pods", "state"))


def test_goals_are_brought_about_in_order_and_written_down() -> None:
    world = Facts()
    result, events = run(world, A, B, C, LAST)
    assert (result.status, result.exit_code) == ("done", Exit.DONE)
    assert world.done == ["A", "B", "C", "Last"]
    assert world.finished == [("A", False), ("B", False), ("C", False), ("Last", True)]
    assert [report.state for report in result.steps] == ["done"] * 4
    assert world.closed and world.concluded is None
    assert all(event.step in "ABCLast" for event in events)


@pytest.mark.parametrize(
    ("at_look", "lost", "done"),
    [
        pytest.param(3, "A", ["A", "B", "A", "C", "Last"], id="seen by a step that looks at more"),
        pytest.param(5, "A", ["A", "B", "C", "A", "Last"], id="and by one that looks at nothing else"),
        pytest.param(7, "B", ["A", "B", "C", "Last", "B"], id="by the last step, which sees everything"),
    ],
)
def test_a_goal_that_no_longer_holds_is_gone_back_to(at_look: int, lost: str, done: list[str]) -> None:
    """Two looks a goal: one at what is to do, one at what was done."""
    world = Facts({at_look: lose(lost)})
    result, _ = run(world, A, B, C, LAST)
    assert result.status == "done"
    assert world.done == done
    assert {"A", "B", "C", "Last"} <= world.facts


def test_a_step_decides_no_goal_whose_parts_it_did_not_look_at() -> None:
    """C looks at nothing: whether B holds it cannot tell, and does not guess."""
    asked: list[frozenset[str]] = []

    def decide(s: Snapshot) -> Decision:
        asked.append(frozenset())
        return Decision(DONE if "B" in s.node.labels else ACT, "B", (Deed("B"),))

    world = Facts()
    run(world, Goal("B", ("pods",), decide), Goal("C"))
    assert len(asked) == 2, "its own two looks"


@pytest.mark.parametrize("extra", [{"command_exit": 0}, {"command_exit": 7}, {"released": True}])
def test_what_cannot_be_undone_any_more_is_not_gone_back_from(extra: dict[str, Any]) -> None:
    """The shutdown command ran, so the node goes down; or it was let go of, and is anybody's."""

    def ended(world: Facts) -> None:
        world.facts.discard("A")
        world.extra = extra

    world = Facts({3: ended})
    result, _ = run(world, A, Goal("Last"))
    assert result.status == "done"
    assert world.done == ["A", "Last"]


def test_a_goal_that_somebody_takes_away_all_the_time_ends_with_the_deadline() -> None:
    world = Facts()
    fight = {n: lose("A") for n in range(10_000)}
    for n in (1, 2):
        fight.pop(n)
    world.script = {n: (lambda w, n=n: (w.facts.discard("A"), w.wait(1.0))) for n in fight}
    result, _ = run(world, A, B)
    assert (result.status, result.exit_code) == ("deadline", Exit.DEADLINE)


# --- how it ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Blocked("it broke", "mend it"), "blocked", Exit.BLOCKED),
        (DeadlineExceeded("it broke", "mend it"), "deadline", Exit.DEADLINE),
        (BgpctlError("it broke", "mend it"), "failed", Exit.FAILED),
        (UsageError("it broke", "mend it"), "blocked", Exit.BLOCKED),  # never "nothing was changed"
    ],
)
def test_an_error_after_a_change_ends_the_run_as_what_it_is(
    error: BgpctlError, status: str, code: Exit
) -> None:
    world = Facts({2: raising(error)})
    result, _ = run(world, A, B)
    assert world.done == ["A"]
    assert (result.status, result.exit_code, result.message, result.hint) == (
        status,
        code,
        "it broke",
        "mend it",
    )
    assert world.concluded == (status, "it broke"), "why it ended is written down"
    assert world.closed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("odd"), "the program ended in the middle (ValueError) at B: B is to come"),
        (SystemExit(1), "the program ended in the middle (SystemExit) at B: B is to come"),
    ],
)
def test_a_run_that_a_bug_ends_is_written_down_with_words(error: BaseException, words: str) -> None:
    world = Facts({3: raising(error)})
    with pytest.raises(type(error)):
        run(world, A, B)
    assert world.concluded == ("failed", words)
    assert world.closed


def test_a_run_that_nobody_goes_on_with_is_written_down_with_words() -> None:
    world = Facts()
    going = engine.run("drain", "n1", "run-a", (A, B), world, 100.0, TYPED)
    assert [next(going).text for _ in range(2)] == ["A B", "A is to come"]
    going.close()
    assert world.concluded == ("failed", "the program ended in the middle at A: A is to come")


@pytest.mark.parametrize("step", [Decision(BLOCKED, "it ended with 3", said="-P hunter2")])
def test_the_words_of_a_command_are_told_and_not_kept(step: Decision) -> None:
    world = Facts()
    result, events = run(world, Goal("B", (), lambda s: step))
    assert result.message == events[-1].text == "it ended with 3: -P hunter2"
    assert world.concluded == ("blocked", "it ended with 3")


def test_nor_are_they_by_a_control_c_that_comes_while_they_are_shown() -> None:
    world = Facts()
    said = Decision(BLOCKED, "it ended with 3", said="-P hunter2")
    going = engine.run("drain", "n1", "run-a", (Goal("B", (), lambda s: said),), world, 100.0, TYPED)
    assert [next(going).text for _ in range(2)] == ["B", "it ended with 3: -P hunter2"]
    going.throw(KeyboardInterrupt)
    assert world.concluded == ("interrupted", "interrupted at B: it ended with 3")


def test_a_usage_error_before_any_change_is_one() -> None:
    world = Facts({0: raising(UsageError("no such node"))})
    with pytest.raises(UsageError):
        run(world, A)
    assert world.closed


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        (
            Decision(WAIT, "2 pods left: the disruption budget web needs 2"),
            "interrupted at B: 2 pods left: the d",
        ),
        (Decision(ACT, "evict", (Deed("B", KeyboardInterrupt()),)), "interrupted at B: evict"),
    ],
)
def test_an_interrupted_run_says_what_it_waited_for_and_how_to_go_on(waiting: Decision, message: str) -> None:
    world = Facts()
    world.script[6] = raising(KeyboardInterrupt())
    result, _ = run(world, A, Goal("B", ("pods",), lambda s: waiting))
    assert (result.status, result.exit_code) == ("interrupted", Exit.INTERRUPTED)
    assert result.message.startswith(message)
    assert result.hint == f"nothing is lost; to go on: {TYPED}"
    assert result.tells == {Tells.GO_ON}, "that is not said again"
    assert world.concluded == ("interrupted", result.message)


def test_an_interrupted_run_says_what_to_do_about_what_it_waited_for() -> None:
    world = Facts()
    world.script[6] = raising(KeyboardInterrupt())
    held = Decision(WAIT, "web needs 2", hint="look at web")
    result, _ = run(world, A, Goal("B", ("pods",), lambda s: held))
    assert result.hint.splitlines() == ["look at web", f"nothing is lost; to go on: {TYPED}"]


def test_time_that_is_up_names_the_reason_and_the_whole_command() -> None:
    result, _ = run(Facts(), A, Goal("B", (), lambda s: Decision(WAIT, "1 pod left")), timeout=7.0)
    assert (result.status, result.message) == ("deadline", "time is up at B: 1 pod left")
    assert result.hint.endswith(f"to go on (--timeout gives it longer): {TYPED}")
    assert [report.state for report in result.steps] == ["done", "deadline"]


@pytest.mark.parametrize(("timeout", "left"), [(90.0, 90), (inf, None)])
def test_the_steps_are_told_once_with_when_it_gives_up(timeout: float, left: int | None) -> None:
    world = Facts()
    going = engine.run("drain", "n1", "run-a", (A, B), world, timeout, TYPED)
    first = next(going)
    assert (first.kind, first.text, first.node) == ("steps", "A B", "n1")
    assert (None if first.until is None else round(first.until - world.now())) == left
    assert "steps" not in {event.kind for event in going}


def test_what_was_typed_wrong_lists_no_steps() -> None:
    def wrong(_: Snapshot) -> Decision:
        raise UsageError("no such peer")

    with pytest.raises(UsageError):
        next(engine.run("drain", "n1", "run-a", (Goal("A", (), wrong),), Facts(), 9.0, TYPED))


def test_without_a_deadline_a_wait_gives_up_never() -> None:
    world = Facts()
    world.script[60] = raising(KeyboardInterrupt())
    patient = Decision(WAIT, "1 pod left", recheck=600.0)
    result, events = run(world, Goal("B", (), lambda s: patient), timeout=inf)
    assert result.status == "interrupted"
    assert {event.until for event in events if event.kind == "still"} == {None}


def test_a_wait_that_goes_on_is_told_every_ten_seconds_with_when_it_gives_up() -> None:
    world = Facts()
    began = world.now()
    patient = Decision(WAIT, "1 pod left", recheck=600.0, eta=began + 500)
    result, events = run(world, Goal("B", (), lambda s: patient), timeout=35.0)
    still = [event for event in events if event.kind == "still"]
    assert [round(event.at - began) for event in still] == [10, 20, 30]
    assert {(e.step, e.state, e.text, e.eta) for e in still} == {("B", "waiting", "1 pod left", began + 500)}
    assert {round(event.until or 0) for event in still} == {round(began + 35)}
    assert result.status == "deadline"


def test_a_wait_that_tries_again_now_and_then_is_told_every_ten_seconds_too() -> None:
    """An eviction that a budget holds back is asked for again every two seconds: acting and waiting in turn,
    with one reason. That was minutes without a line in a pipe."""
    world = Facts()
    began = world.now()
    turns = [Decision(ACT, "1 pod left: web allows 0", (Deed("tried", effect=False),), recheck=0.5)]
    turns += [Decision(WAIT, "1 pod left: web allows 0", recheck=0.5, hint="look at web")] * 3
    looks = iter(range(10_000))
    result, events = run(world, Goal("B", (), lambda s: turns[next(looks) % 4]), timeout=35.0)
    still = [event for event in events if event.kind == "still"]
    assert [round(event.at - began) for event in still] == [10, 20, 30]
    assert {event.text for event in still} == {"1 pod left: web allows 0"}
    assert result.status == "deadline"
    assert result.hint.splitlines() == [
        "look at web",
        f"nothing is lost; to go on (--timeout gives it longer): {TYPED}",
    ]


def test_a_reason_that_changes_is_told_at_once_and_not_again() -> None:
    world = Facts()
    words = iter(f"{n} pods left" for n in (3, 3, 3, 2, 2))
    goal = Goal("B", (), lambda s: Decision(WAIT, next(words, "1 pod left"), recheck=4.0))
    _, events = run(world, goal, timeout=30.0)
    assert [e.text for e in events if e.kind == "step"][:3] == ["3 pods left", "2 pods left", "1 pod left"]
    assert next(e.text for e in events if e.kind == "still") == "1 pod left"


def test_a_time_that_runs_floods_nobody_and_the_deadline_tells_its_last_value() -> None:
    """A router that counts its stale paths down is asked six times a second."""
    world = Facts()
    goal = Goal("B", (), lambda s: Decision(WAIT, f"stale, {1100 - world.at:g} s left", recheck=0.25))
    result, events = run(world, goal, timeout=30.0)
    waited = [(e.kind, e.text) for e in events if e.state == "waiting"]
    assert waited == [
        ("step", "stale, 100 s left"),
        ("still", "stale, 90 s left"),
        ("still", "stale, 80 s left"),
        ("still", "stale, 70 s left"),
    ]
    assert result.message == "time is up at B: stale, 70 s left"
    assert result.steps[0].text == "stale, 70 s left"


def test_a_count_that_runs_is_told_once_a_second() -> None:
    world = Facts()
    goal = Goal("B", (), lambda s: Decision(WAIT, f"{5000 - world.at * 4:g} paths left", recheck=0.25))
    _, events = run(world, goal, timeout=3.0)
    assert [e.text for e in events if e.state == "waiting"] == [
        f"{n} paths left" for n in (1000, 996, 992, 988)
    ]


def test_a_refusal_takes_back_what_it_wrote_before_it_ends() -> None:
    refuse = Decision(BLOCKED, "no", (Deed("taken back"),), hint="why not")
    world = Facts()
    result, _ = run(world, A, Goal("B", (), lambda s: refuse))
    assert (result.status, result.message, result.hint) == ("blocked", "no", "why not")
    assert world.done == ["A", "taken back"]


# --- patience -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [CONFLICT, Temporary("the server is busy"), Temporary("busy", retry_after=9)]
)
def test_what_could_not_be_done_now_is_decided_again(error: BgpctlError) -> None:
    world, deed = Facts(), Deed("A", error)
    goal = Goal("A", (), lambda s: Decision(DONE if "A" in s.node.labels else ACT, "A", (deed,)))
    result, events = run(world, goal)
    assert (result.status, world.done) == ("done", ["A"])
    told = [e.text for e in events if e.kind == "action"]
    assert told == (["make A"] if error is CONFLICT else [error.message, "make A"])
    assert world.at - 1000.0 == (getattr(error, "retry_after", None) or (0.0 if error is CONFLICT else 1.0))


def test_a_look_that_could_not_be_had_is_a_wait_with_a_reason() -> None:
    world = Facts({1: raising(Temporary("the API server did not answer"))})
    result, events = run(world, A)
    assert result.status == "done"
    assert ("waiting", "the API server did not answer") in {(e.state, e.text) for e in events}


@pytest.mark.parametrize("error", [CONFLICT, Temporary("busy")])
def test_a_step_is_done_when_it_is_written_down_and_looked_at_again_before(error: BgpctlError) -> None:
    """The last step above all: what it says was true of the version that it was written under."""
    world = Facts(failing=[error], facts={"A", "Last"})
    result, _ = run(world, A, LAST)
    assert (result.status, world.finished) == ("done", [("A", False), ("Last", True)])
    lapsing = Facts({2: lose("A")}, facts={"A", "Last"}, failing=[])
    lapsing.script[1] = lambda w: w.failing.append(error)
    result, _ = run(lapsing, A, LAST)
    assert (result.status, lapsing.done) == ("done", ["A"]), "what changed meanwhile is seen"


def test_a_deed_without_effect_is_not_told() -> None:
    deed = Deed("A", effect=False)
    goal = Goal("A", (), lambda s: Decision(DONE if "A" in s.node.labels else ACT, "A", (deed,)))
    _, events = run(Facts(), goal)
    assert not [e for e in events if e.kind == "action"]


# --- what to type next ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "flags", "text"),
    [
        ("bgpctl node drain n1", ["--force"], "bgpctl node drain n1 --force"),
        ("bgpctl node drain n1 --force", ["--force"], "bgpctl node drain n1 --force"),
        ("bgpctl node drain n1", ["--force", "--force"], "bgpctl node drain n1 --force"),
        ("d --max-unavailable 2 n1", ["--max-unavailable 3"], "d n1 --max-unavailable 3"),
        ("d --max-unavailable=2 n1", ["--max-unavailable 3"], "d n1 --max-unavailable 3"),
        ("d n1 -o json", ["--max-unavailable 3", "--force"], "d n1 -o json --max-unavailable 3 --force"),
        ("d n1 --max-unavailable", ["--max-unavailable 3"], "d n1 --max-unavailable 3"),
    ],
)
def test_the_next_command_is_the_one_that_was_typed_and_the_flags(
    words: str, flags: Iterable[str], text: str
) -> None:
    assert str(CommandLine(tuple(words.split())).with_flags(tuple(flags))) == text


def test_words_are_quoted_for_the_shell_and_a_dry_run_is_left_out() -> None:
    typed = CommandLine(
        ("kubectl", "bgp", "node", "drain", "n1", "--dry-run", "--shutdown-command", "ssh {node} off")
    )
    assert str(typed.without("--dry-run")) == "kubectl bgp node drain n1 --shutdown-command 'ssh {node} off'"


def test_a_command_of_kubectls_is_about_the_same_cluster() -> None:
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--context=lab", "--force", "--kubeconfig", "/k"))
    assert str(typed.kubectl("get", "crd")) == "kubectl get crd --context=lab --kubeconfig /k"


@pytest.mark.parametrize("status", [BLOCKED, WAIT])
def test_the_step_that_a_run_ended_in_is_told_once(status: Status) -> None:
    """What it was refused for stands there already; that time was up is another word."""
    world = Facts()
    result, events = run(world, Goal("B", (), lambda s: Decision(status, "not yet")), timeout=2.0)
    last = [one for one in events if one.step == "B"]
    if status is BLOCKED:
        assert [(one.state, one.text) for one in last] == [("blocked", "not yet")]
    else:
        assert (
            (last[-1].state, last[-1].text) == (result.status, result.message) == ("deadline", result.message)
        )
        assert last[0].state == "waiting"

"""What the world cannot tell: who took the node out, from which state, with which options, when.

It lives on the Node itself, in one annotation, so that any machine can resume or restore. Written in the same
patch as the change it belongs to. Absent = bgpctl has not touched this node.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from bgpctl.core.policy.annotations import LAST_STEP, LONGEST_RUN, RUN, RUNS
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json, plain
from bgpctl.core.state import MOST_LOCALS
from bgpctl.errors import Blocked
from bgpctl.runbooks import kept
from bgpctl.runbooks.clock import same
from bgpctl.runbooks.kept import Options

ANNOTATION = RUN
VERSION = 1
# Fields that came after the first journals were written.
LATER = {"leaves", "baselines", "witnesses", "locals", "ending", "options", "provider", "prior"}
LATER |= {"request", "clock", "counted"}
UNSAID = {"provider", "prior", "request", "clock", "counted"}  # while they say nothing
COMMANDS = RUNS
OF_OWN_CLOCK = ("SpeakerStarted", "SawRecord")  # marks that name something by an instant of its own clock
AGAIN = "GoneOnWith"  # the mark of the last attempt that went on with the run
LONGEST = LONGEST_RUN
MOST_WITNESSES = 8  # of one peer: the newest
OF_PROOF = (
    *("by", "routers", "relabelledTime", "goneTime", "secondsAfterRelabel"),
    *("why", "worstSeconds", "until", "missing", "assumed", "earlier"),
)


@dataclass(frozen=True, slots=True)
class Journal:
    """`prior_labels` holds the labels that the run may change, with their value before (None = absent).
    `steps` maps a finished step to its epoch second, `marks` other instants ("Relabelled", "SawWithdrawn")
    that a resumed wait continues from; all by the API server's clock. `evidence` is what proved the
    withdrawal. `holder` is the run at work: whoever takes the node over writes itself in here, and a run that
    finds another name stops. `leaves` counts the relabels. `baselines`: how many routes of the node each
    peer's router was seen to have before the withdrawal; `witnesses`: who showed them (kind, target, router
    ID). `locals`: the addresses that the node had towards each peer, the newest last. A peer is named as in
    `runbooks.peers`. `ending`: how the last run ended (status, reason,
    at), empty while it runs and when it was killed. `options`: what was asked for (`kept`). `provider`: who
    spoke BGP on the node, "" = nobody wrote it down; `prior`: what it needs to bring the node back by other
    means than a label (`core.drain.lever`). `request` names the last relabel.
    `clock` is that of the run at work;
    `counted`: no wait counts from before this instant, which another clock wrote down."""

    run: str
    command: str
    order: str
    holder: str
    started_at: float
    prior_unschedulable: bool = False
    prior_labels: Mapping[str, str | None] = field(default_factory=dict)
    deselect: tuple[str, str | None] | None = None
    peers: tuple[str, ...] = ()
    routes: int = 0
    steps: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    leaves: int = 0
    baselines: Mapping[str, int] = field(default_factory=dict)
    witnesses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    locals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ending: Mapping[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    provider: str = ""
    prior: Mapping[str, Any] = field(default_factory=dict)
    request: str = ""
    clock: str = ""
    counted: float = 0.0

    @property
    def takes_out(self) -> bool:
        """Is there a lever by which the run makes the node leave?"""
        return self.deselect is not None or bool(self.prior)

    @property
    def asked(self) -> Options:
        """The options, the order among them: a journal of the version before has no others."""
        order = (
            {"--order": (self.order,)} if self.command == "drain" and self.order == "withdraw-first" else {}
        )
        return {**order, **self.options}

    @property
    def leave(self) -> str:
        """The name of the last request to leave (annotation `bgpctl.io/leave`): it is in no other run's, and
        not one that this run gave before it lost its memory."""
        return self.request or f"{self.run}-{self.leaves}"

    def asking(self, now: float) -> Journal:
        """With one more request to leave."""
        leaves = self.leaves + 1
        return replace(self, leaves=leaves, request=f"{self.run}-{leaves}.{round(now * 1000):x}")

    @property
    def begun(self) -> bool:
        """Has the run passed its checks? Before that it has changed nothing."""
        return bool(set(self.steps) - {"Claimed"})

    @property
    def done_at(self) -> float | None:
        """When the drain made its last check, and was done. None = it did not, or it was gone on with since:
        then that attempt has to make it."""
        at = self.steps.get(LAST_STEP)
        again = self.marks.get(AGAIN, 0.0)
        return at if self.command == "drain" and at is not None and at >= again else None

    @property
    def prior_only(self) -> Journal:
        """What the world cannot tell again, and whom the node was known by; nothing of what was done."""
        return replace(
            self, steps={}, marks={}, evidence={}, ending={}, leaves=0, request="", baselines={}, witnesses={}
        )

    def finished(self, step: str) -> bool:
        return step in self.steps

    def with_step(self, step: str, at: float, evidence: Mapping[str, Any]) -> Journal:
        """A new proof takes the place of the one before, with all that was said of that one."""
        void = OF_PROOF if "proof" in evidence else ()
        left = {name: value for name, value in self.evidence.items() if name not in void}
        return replace(self, steps={**self.steps, step: round(at, 3)}, evidence={**left, **evidence})

    def without(self, steps: Collection[str]) -> Journal:
        """The journal as if these steps had never been done; waits begin anew, evidence is void."""
        left = {step: at for step, at in self.steps.items() if step not in steps}
        return replace(self, steps=left, marks={}, evidence={})

    def since(self, mark: str) -> float:
        """From when a wait for what was marked counts by the clock of the run at work; 0 = there is no such
        mark."""
        return max(self.marks[mark], self.counted) if mark in self.marks else 0.0

    def by_clock(self, clock: str, now: float) -> Journal:
        """In the hands of a run with this clock. What by another one is yet to come has been all the same,
        and before this run began."""
        if same(self.clock, clock):
            return replace(self, clock=clock)
        steps = {step: min(at, now - 1.0) for step, at in self.steps.items()}
        marks = {mark: at if mark in OF_OWN_CLOCK else min(at, now) for mark, at in self.marks.items()}
        return replace(self, clock=clock, counted=round(now, 3), steps=steps, marks=marks)

    def again(self, now: float) -> Journal:
        """Gone on with: what was done was done before, also by a clock a second ahead (`clock.same`)."""
        steps = {step: min(at, now - 0.001) for step, at in self.steps.items()}
        return replace(self, steps=steps, ending={}).with_mark(AGAIN, now)

    def with_mark(self, mark: str, at: float) -> Journal:
        return replace(self, marks={**self.marks, mark: round(at, 3)})


NAMES = tuple(one.name for one in fields(Journal))


def dump(journal: Journal) -> str:
    written = {name: getattr(journal, name) for name in NAMES}
    said = {name: value for name, value in written.items() if value or name not in UNSAID}
    return json.dumps({"version": VERSION, **said}, sort_keys=True, separators=(",", ":"))


def load(annotations: Mapping[str, str] | None, node: str = "NODE") -> Journal | None:
    """The journal of the annotations of the Node `node`. One that cannot be read blocks: guessing a prior
    state could undo somebody's cordon. Raises Blocked, and nothing else."""
    try:
        text = Foreign.of(annotations or {}, "annotations").text(ANNOTATION, longest=LONGEST)
        return _parsed(text) if text else None
    except Unreadable as error:
        raise Blocked(
            f"the annotation {ANNOTATION} cannot be read ({error.message})",
            "another version of bgpctl or somebody else wrote it\n"
            f"to read it: kubectl get node {node} -o yaml\n"
            f"to remove it: kubectl annotate node {node} {ANNOTATION}-\n"
            f"then, by its copy (Lease bgpctl-node-{node} in kube-system): bgpctl node restore {node}\n"
            "without a copy, bring the node back by hand",
        ) from None


@lru_cache(maxsize=32)
def _parsed(text: str) -> Journal:
    """A run reads its journal at every look, and it changes with a step. A journal is a value, and of one
    text always the same."""
    return _read(Foreign.of(parse_json(text, LONGEST)))


def _read(written: Foreign) -> Journal:
    """Raises Unreadable for anything that `dump` of this version did not write."""
    names = {"version", *NAMES}
    needed, found = names - LATER, set(written.value)
    if written.value.get("version") != VERSION or not needed <= found <= names:
        raise Unreadable("another version")
    if missing := sorted(n for n in needed - {"deselect"} if not written.has(n)):
        raise Unreadable(f"{', '.join(missing)}: null")
    return Journal(
        run=written.required("run"),
        command=written.choice("command", COMMANDS),
        order=written.required("order"),
        holder=written.required("holder"),
        started_at=written.number("started_at"),
        prior_unschedulable=written.flag("prior_unschedulable"),
        prior_labels={key: _label(labels, key) for labels, key in written.each("prior_labels")},
        deselect=_deselect(written),
        peers=written.texts("peers"),
        routes=written.integer("routes"),
        steps={step: steps.number(step) for steps, step in written.each("steps")},
        marks={mark: marks.number(mark) for marks, mark in written.each("marks")},
        evidence=_evidence(written.child("evidence")),
        leaves=written.integer("leaves"),
        baselines={peer: counts.integer(peer) for counts, peer in written.each("baselines")},
        witnesses={peer: who.texts(peer, MOST_WITNESSES, 400) for who, peer in written.each("witnesses")},
        locals={peer: _addresses(found, peer) for found, peer in written.each("locals")},
        ending=_ending(written.child("ending")),
        options=kept.read(written),
        provider=written.text("provider"),
        prior=dict(plain(written.child("prior").value, "prior")),
        request=written.text("request"),
        clock=written.text("clock"),
        counted=written.number("counted"),
    )


def _addresses(found: Foreign, peer: str) -> tuple[str, ...]:
    texts = found.texts(peer, MOST_LOCALS, 64)
    try:
        return tuple(str(parse_zoned(text)) for text in texts)
    except ValueError:
        found.refuse(peer, "IP addresses")


def _ending(ending: Foreign) -> Mapping[str, Any]:
    if not ending.value:
        return {}
    return {
        "status": ending.required("status"),
        "reason": ending.text("reason"),
        "at": ending.number("at"),
    }


def _label(labels: Foreign, key: str) -> str | None:
    return labels.required(key) if labels.has(key) else None


def _deselect(written: Foreign) -> tuple[str, str | None] | None:
    """A label as [key, value]; the value may be null."""
    if not written.has("deselect"):
        return None
    pair = [item for _, item in written.items("deselect")]
    if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], str | None):
        written.refuse("deselect", "a label: a key and a value")
    return pair[0], pair[1]


def _evidence(evidence: Foreign) -> Mapping[str, Any]:
    """What the last sentences are made of has its type; the rest is kept as it stands."""
    evidence.number("secondsAfterRelabel")
    evidence.number("worstSeconds")
    evidence.integer("routes")
    evidence.flag("uncounted")
    evidence.texts("missing")
    for name in ("worstSeconds", "routes"):
        if name in evidence.value and not evidence.has(name):
            evidence.refuse(name, "a number")
    match evidence.text("proof"):
        case "confirmed":
            evidence.required("by")
        case "reported":
            evidence.required("by")
            evidence.required("why")
        case "estimated":
            evidence.required("why")
    for name in ("by", "why", "assumed", "earlier", "goneTime"):
        evidence.text(name)
    return dict(plain(evidence.value, "evidence"))

"""Rules about what runs of bgpctl left: journals, Leases, copies."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bgpctl.core.doctor.facts import Facts, Upgrade, Workload
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity
from bgpctl.core.preflight.rollout import ANNOTATION, ON_DELETE

FORGOTTEN_SECONDS = 86400.0
UNTRUE = {
    "announces-again": "it was drained, and announces again",
    "uncordoned": "it was drained, and was uncordoned since",
    "unknown": "it was drained, and what it announces now is not known",
}
"""What became of it, by the word of `node status`."""


def run_stopped(facts: Facts) -> Iterator[Said]:
    """A drain, a restore or a restart stopped half-way, and nobody goes on with it.

    The node is neither in service nor out of it. The same command goes on where the world is; its undoing
    brings the node back.
    """
    for run in facts.runs or ():
        if run.stopped:
            command = run.service.removesuffix("-stopped")
            verb = "speaker restart" if command == "restart" else f"node {command}"
            why = f"its {command} stopped, and nobody goes on: {run.stopped}"
            yield Finding(run.node, why, f"bgpctl {verb} {run.node}", run.node)


def run_unreadable(facts: Facts) -> Iterator[Said]:
    """What bgpctl wrote down of a node cannot be read, or was removed.

    No run goes on until that is cleared: guessing the state before it could undo somebody's cordon.
    """
    for run in facts.runs or ():
        if run.problem:
            fix = next((line for line in run.hint.splitlines() if line), f"bgpctl node status {run.node}")
            yield Finding(run.node, run.problem, fix, run.node)


def drain_untrue(facts: Facts) -> Iterator[Said]:
    """A node that was drained announces again, or pods may run on it again.

    "Safe to power off" was true then, and is not now.
    """
    for run in facts.runs or ():
        if run.service in UNTRUE and not run.stopped and not run.problem:
            yield Finding(run.node, UNTRUE[run.service], f"bgpctl node status {run.node}", run.node)


def drain_forgotten(facts: Facts) -> Iterator[Said]:
    """A node was drained more than a day ago, and is still out.

    Perhaps it is meant to be; its addresses have one next hop less.
    """
    for run in facts.runs or ():
        if run.service == "drained" and run.age > FORGOTTEN_SECONDS:
            yield Finding(
                run.node, "it was drained more than a day ago", f"bgpctl node restore {run.node}", run.node
            )


def lease_orphaned(facts: Facts) -> Iterator[Said]:
    """A Lease of a run is there, and its Node is not, or has no journal and nobody holds it.

    It is in the way of nobody, but it keeps the copy of a journal that no node has any more.
    """
    for held in facts.leases or ():
        if held.holder or (held.node_there and held.journal):
            continue
        why = "its Node is gone" if not held.node_there else "nobody holds it, and its Node has no journal"
        yield Finding(
            f"Lease kube-system/{held.name}", why, f"kubectl -n kube-system delete lease {held.name}"
        )


def copies_orphaned(facts: Facts) -> Iterator[Said]:
    """Something that bgpctl made for drains is for nothing any more.

    A copy whose original was deleted, or what a node was made to withdraw by that is gone: a new node of its
    name would announce nothing.
    """
    for left in facts.leftovers or ():
        if left.gone:
            yield Finding(left.object, left.why, left.clears)


def copies_outdated(facts: Facts) -> Iterator[Said]:
    """A copy that bgpctl made for drains differs from its original.

    A drain refuses it: with it the node's sessions would be reset, or announce what they should not.
    """
    for left in facts.leftovers or ():
        if not left.gone:
            yield Finding(left.object, left.why, left.clears)


def upgrade_stopped(facts: Facts) -> Iterator[Said]:
    """A `speaker upgrade` has changed a DaemonSet and has not come to its end; one that runs now looks alike.

    Some nodes run the old image. With updateStrategy OnDelete no other pod is replaced until the same command
    goes on, which gives the DaemonSet its own strategy back; also after an upgrade of some nodes only.
    """
    for one in facts.workloads or ():
        if one.upgrade is None:
            continue
        if one.upgrade.before:
            now, before = one.strategy, one.upgrade.before
            why = f"its upgrade is not at its end: updateStrategy is {now}, and was {before}"
            fix = _going_on(one, one.upgrade)
        else:
            why = f"annotation {ANNOTATION} cannot be read: what its updateStrategy was is not known"
            fix = f"kubectl -n {one.namespace} annotate daemonset {one.name} {ANNOTATION}-"
        yield Finding(f"DaemonSet {one.namespace}/{one.name}", why, fix)


def strategy_left(facts: Facts) -> Iterator[Said]:
    """Our DaemonSet has updateStrategy OnDelete, and no upgrade is under way that would give it another one.

    An upgrade whose annotation somebody took away leaves it so: a new image then reaches no node by itself.
    It is also what one may want, who upgrades by `speaker upgrade` alone.
    """
    patch = shlex.quote('{"spec": {"updateStrategy": {"type": "RollingUpdate"}}}')
    for one in facts.workloads or ():
        if one.ours and one.upgrade is None and one.strategy == ON_DELETE:
            where = f"-n {one.namespace} patch daemonset {one.name}"
            yield Finding(
                f"DaemonSet {one.namespace}/{one.name}",
                "updateStrategy is OnDelete: a new image reaches no node by itself",
                f"if that is not meant: kubectl {where} --type merge -p {patch}",
            )


def _going_on(one: Workload, upgrade: Upgrade) -> str:
    """The command that goes on. Which of several images is meant nothing tells: of the first it shows what
    would be done."""
    name, image = next(iter(upgrade.images.items()), ("", ""))
    words = ["bgpctl", "speaker", "upgrade", "--image", image]
    if not one.ours:
        words += ["--pod-selector", one.selector, "--namespace", one.namespace]
    if len(set(upgrade.images.values())) > 1:
        words += ["--container", name, "--dry-run"]
    return shlex.join(words)


RULES = (
    Rule("run-stopped", Severity.WARNING, run_stopped, ("runs",)),
    Rule("run-unreadable", Severity.ERROR, run_unreadable, ("runs",)),
    Rule("drain-untrue", Severity.WARNING, drain_untrue, ("runs",)),
    Rule("drain-forgotten", Severity.NOTE, drain_forgotten, ("runs",)),
    Rule("upgrade-stopped", Severity.WARNING, upgrade_stopped, ("workloads",)),
    Rule("update-strategy-left", Severity.NOTE, strategy_left, ("workloads",)),
    Rule("lease-orphaned", Severity.WARNING, lease_orphaned, ("leases",)),
    Rule("copies-orphaned", Severity.WARNING, copies_orphaned, ("leftovers",)),
    Rule("copies-outdated", Severity.WARNING, copies_outdated, ("leftovers",)),
)

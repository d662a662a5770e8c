"""Which pods a drain evicts, keeps or must not touch: kubectl's filters as ordered pure functions.

The order, the verdicts and the texts are kubectl's (facts/drain.md 1.1, step 4; texts of kubectl 1.32). Two
things are better: every reason against a pod is named at once, not only the first, so that one more run with
the flags it lists is enough; and every warning survives, not only a pod's last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bgpctl.core.drain.budgets import (
    Budget,
    BudgetVerdict,
    EvictionAnswer,
    Outcome,
    budget_view,
    parse_eviction_answer,
    pdb_blocks,
)
from bgpctl.core.drain.pods import PodView, pod_view, remaining

__all__ = [
    "Budget",
    "BudgetVerdict",
    "EvictionAnswer",
    "EvictionOptions",
    "Outcome",
    "PodVerdict",
    "PodView",
    "Reason",
    "Verdict",
    "budget_view",
    "parse_eviction_answer",
    "pdb_blocks",
    "pod_view",
    "refusals",
    "remaining",
    "to_evict",
    "verdicts",
    "warnings",
]

DAEMON_SET_REFUSED = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
DAEMON_SET_KEPT = "ignoring DaemonSet-managed Pods"
ORPHAN_REFUSED = "Pods whose DaemonSet no longer exists (use --force to override)"
ORPHAN_EVICTED = "deleting Pods whose DaemonSet no longer exists"
LOCAL_STORAGE_REFUSED = "Pods with local storage (use --delete-emptydir-data to override)"
LOCAL_STORAGE_EVICTED = "deleting Pods with local storage"
UNMANAGED_REFUSED = "Pods that declare no controller (use --force to override)"
UNMANAGED_EVICTED = "deleting Pods that declare no controller"


@dataclass(frozen=True, slots=True)
class EvictionOptions:
    """kubectl drain's flags, with its defaults (facts/drain.md 1.2).

    `pod_selector` is sent to the API server with the list, as kubectl does: pods that it leaves out are not
    listed and raise no refusal. `grace_period` below 0 = each pod's own. `skip_wait_for_delete_timeout` in
    seconds, 0 = off.
    """

    ignore_daemonsets: bool = False
    force: bool = False
    delete_emptydir_data: bool = False
    pod_selector: str = ""
    grace_period: int = -1
    disable_eviction: bool = False
    skip_wait_for_delete_timeout: float = 0


class Verdict(StrEnum):
    """What a drain does with one pod. A single REFUSE, and no pod at all is evicted."""

    EVICT = "evict"
    KEEP = "keep"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pod is kept, refused, or evicted with a warning; `lift` is the flag that removes a refusal."""

    verdict: Verdict
    message: str
    lift: str = ""


@dataclass(frozen=True, slots=True)
class PodVerdict:
    """What happens to one pod. `refusals`: all reasons against it; `warnings`: what the user must know."""

    pod: PodView
    verdict: Verdict
    message: str = ""
    refusals: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Pods with the same message, as kubectl groups them. `str()` is kubectl's sentence."""

    message: str
    pods: tuple[str, ...]
    lift: str = ""

    def __str__(self) -> str:
        return ("cannot delete " if self.lift else "") + f"{self.message}: {', '.join(self.pods)}"


# --- the filters, in kubectl's order: each says nothing, or what it thinks of a pod -----------------


@dataclass(frozen=True, slots=True)
class Opinion:
    """`final`: later filters do not matter, because no flag would make this pod an evicted one."""

    reason: Reason
    final: bool = False
    warn: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """What the filters may look at besides the pod. `daemonsets`: (namespace, name) of those that exist."""

    options: EvictionOptions
    daemonsets: Collection[tuple[str, str]]
    now: float


Filter = Callable[[PodView, Setting], Opinion | None]


def skip_deleted(pod: PodView, setting: Setting) -> Opinion | None:
    """A pod that should be gone for longer than the timeout sits on a dead kubelet: do not wait for it."""
    limit = setting.options.skip_wait_for_delete_timeout
    if limit <= 0 or pod.deletion_timestamp is None or int(setting.now - pod.deletion_timestamp) <= limit:
        return None
    message = f"deleted more than {limit:g} s ago (--skip-wait-for-delete-timeout)"
    return Opinion(Reason(Verdict.KEEP, message), final=True, warn=False)


def daemon_set(pod: PodView, setting: Setting) -> Opinion | None:
    """The controller would put a DaemonSet's pod right back, cordon or not."""
    if pod.controller_kind != "DaemonSet" or pod.finished:
        return None
    if (pod.namespace, pod.controller_name) not in setting.daemonsets:
        return _flagged(setting.options.force, ORPHAN_EVICTED, ORPHAN_REFUSED, "--force")
    if setting.options.ignore_daemonsets:
        return Opinion(Reason(Verdict.KEEP, DAEMON_SET_KEPT), final=True)
    return Opinion(Reason(Verdict.REFUSE, DAEMON_SET_REFUSED, "--ignore-daemonsets"), final=True)


def mirror_pod(pod: PodView, setting: Setting) -> Opinion | None:
    """Deleting the shadow of a static pod stops nothing."""
    if not pod.mirror:
        return None
    return Opinion(Reason(Verdict.KEEP, "static pod of the kubelet"), final=True, warn=False)


def local_storage(pod: PodView, setting: Setting) -> Opinion | None:
    """An emptyDir dies with its pod. hostPath and local volumes stay, so kubectl does not count them."""
    if not pod.empty_dir or pod.finished:
        return None
    allowed = setting.options.delete_emptydir_data
    return _flagged(allowed, LOCAL_STORAGE_EVICTED, LOCAL_STORAGE_REFUSED, "--delete-emptydir-data")


def unreplicated(pod: PodView, setting: Setting) -> Opinion | None:
    """Nobody would bring this pod back."""
    if pod.controller_kind or pod.finished:
        return None
    return _flagged(setting.options.force, UNMANAGED_EVICTED, UNMANAGED_REFUSED, "--force")


def _flagged(allowed: bool, evicted: str, refused: str, flag: str) -> Opinion:
    return Opinion(Reason(Verdict.EVICT, evicted) if allowed else Reason(Verdict.REFUSE, refused, flag))


FILTERS: tuple[Filter, ...] = (skip_deleted, daemon_set, mirror_pod, local_storage, unreplicated)


def verdicts(
    pods: Iterable[PodView],
    daemonsets_present: Collection[tuple[str, str]],
    options: EvictionOptions,
    now: float,
) -> tuple[PodVerdict, ...]:
    """What the drain does with each pod, in the given order. `daemonsets_present`: (namespace, name); `now`
    in epoch seconds. Nothing may be evicted while any verdict is REFUSE."""
    setting = Setting(options, daemonsets_present, now)
    return tuple(_verdict(pod, setting) for pod in pods)


def _verdict(pod: PodView, setting: Setting) -> PodVerdict:
    opinions = _opinions(pod, setting)
    reasons = [opinion.reason for opinion in opinions]
    refused = tuple(reason for reason in reasons if reason.verdict is Verdict.REFUSE)
    told = tuple(o.reason.message for o in opinions if o.warn and o.reason.verdict is not Verdict.REFUSE)
    if refused:
        return PodVerdict(pod, Verdict.REFUSE, refused[0].message, refused, told)
    kept = next((reason for reason in reasons if reason.verdict is Verdict.KEEP), None)
    if kept:
        return PodVerdict(pod, Verdict.KEEP, kept.message, warnings=told)
    return PodVerdict(pod, Verdict.EVICT, "; ".join(told), warnings=told)


def _opinions(pod: PodView, setting: Setting) -> Sequence[Opinion]:
    opinions: list[Opinion] = []
    for look in FILTERS:
        opinion = look(pod, setting)
        if opinion is not None:
            opinions.append(opinion)
            if opinion.final:
                break
    return opinions


# --- views of the verdicts --------------------------------------------------------------------------


def to_evict(found: Iterable[PodVerdict]) -> tuple[PodView, ...]:
    """The pods that must go; those that already terminate are among them, and only need waiting for."""
    return tuple(verdict.pod for verdict in found if verdict.verdict is Verdict.EVICT)


def refusals(found: Iterable[PodVerdict]) -> tuple[Group, ...]:
    """Every reason against the drain with its pods; empty = it may go on."""
    pairs = [(reason, verdict.pod.where) for verdict in found for reason in verdict.refusals]
    reasons = dict.fromkeys(reason for reason, _ in pairs)
    return tuple(
        Group(reason.message, tuple(where for other, where in pairs if other == reason), reason.lift)
        for reason in reasons
    )


def warnings(found: Iterable[PodVerdict]) -> tuple[Group, ...]:
    """What the user must know of pods that are not refused."""
    pairs = [
        (message, verdict.pod.where)
        for verdict in found
        if verdict.verdict is not Verdict.REFUSE
        for message in verdict.warnings
    ]
    messages = dict.fromkeys(message for message, _ in pairs)
    return tuple(
        Group(message, tuple(where for other, where in pairs if other == message)) for message in messages
    )

"""May this node go out of service now? One pure verdict per question, with the reason in words.

A guard refuses what would take traffic down or cross another owner of the node, warns of what the operator
should know, waits for another drain that is deciding at this moment, and says ok otherwise. `lift` is the
flag that turns its refusal into a warning; "" = only the world can change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bgpctl.core.drain.deselection import changed, deselecting_label, protected
from bgpctl.core.drain.lever import LabelChange, Lever
from bgpctl.core.drain.vips import Vip, vips
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json

__all__ = [
    "Guard",
    "LabelChange",
    "Lever",
    "Vip",
    "changed",
    "deselecting_label",
    "known_kinds",
    "kured",
    "last_path",
    "lift",
    "medik8s",
    "other_stacks",
    "out_of_service",
    "protected",
    "removal_taints",
    "sole_endpoint",
    "vips",
]

Level = Literal["ok", "warn", "wait", "refuse"]

ALLOW_LAST_PATH = "--allow-last-path"
ALLOW_ADDRESS_GAP = "--allow-address-gap"
MAX_UNAVAILABLE = "--max-unavailable"
BESIDE_ANOTHER = "--beside-another-stack"

MEDIK8S_NAMESPACE = "medik8s-leases"
LONGEST_LOCK = 256 << 10  # of annotations, in octets
KURED_LOCK = "weave.works/kured-node-lock"
KURED_REBOOTING = "weave.works/kured-reboot-in-progress"
REMOVAL_TAINTS = {
    "ToBeDeletedByClusterAutoscaler": "cluster-autoscaler",
    "karpenter.sh/disrupted": "Karpenter",
    "medik8s.io/drain": "the node-maintenance-operator",
}

OTHER_STACKS = "other-stacks"

NOBODY: Mapping[str, str] = {}

# How many names a message lists before it only counts.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Guard:
    """One verdict: `message` is a sentence, also when it is ok. `back`: the node that has to come back first,
    "" = none; `by_hand`: somebody took that one out without bgpctl."""

    name: str
    level: Level
    message: str
    lift: str = ""
    back: str = ""
    by_hand: bool = False


def lift(guards: Iterable[Guard], flags: Collection[str]) -> tuple[Guard, ...]:
    """The guards after the user's flags: a refusal whose `lift` was given is a warning."""
    given = set(flags) - {""}
    return tuple(
        replace(guard, level="warn") if guard.level == "refuse" and guard.lift in given else guard
        for guard in guards
    )


# --- paths ------------------------------------------------------------------------------------------------


def last_path(node: str, addresses: Iterable[Vip], untold: int = 0) -> Guard:
    """Does an address lose its only announcer? Local ones are `sole_endpoint`'s question: they follow their
    endpoints to another node. `untold`: of how many other nodes nobody tells whether their sessions are up;
    they are no path by anybody's word."""
    lost = [vip for vip in addresses if not vip.local and vip.announcers == {node}]
    if not lost:
        return Guard("last-path", "ok", f"every Service address of {node} is announced by another node too")
    message = f"{node} is the only node that announces {_named(lost)}: after it nothing does"
    if untold:
        others = "1 other node" if untold == 1 else f"{untold} other nodes"
        message = f"{others} may announce {_named(lost)}, and nobody tells whether their sessions are up"
    return Guard("last-path", "refuse", message, ALLOW_LAST_PATH)


def sole_endpoint(node: str, addresses: Iterable[Vip], others: Collection[str]) -> Guard:
    """Does a Local address lose all of its ready endpoints? `others`: the nodes that a policy selects and
    that can take pods. Without any the address cannot come back elsewhere; with some there is a gap."""
    lost = [vip for vip in addresses if vip.local and _only_here(node, vip)]
    name = "sole-endpoint"
    if not lost:
        return Guard(name, "ok", f"no Service with the traffic policy Local has its only endpoints on {node}")
    start = f"all ready endpoints of {_named(lost)} are on {node} (traffic policy Local)"
    if set(others) - {node}:
        message = f"{start}: announced by nobody until a replacement is ready elsewhere"
        return Guard(name, "refuse", message, ALLOW_ADDRESS_GAP)
    message = f"{start}, and no other node could announce: nothing does afterwards"
    return Guard(name, "refuse", message, ALLOW_LAST_PATH)


def _only_here(node: str, vip: Vip) -> bool:
    return vip.ready == {node} or (not vip.ready and vip.announcers == {node})


def _named(addresses: Sequence[Vip]) -> str:
    texts = [f"{vip.prefix} ({', '.join(vip.owners)})" for vip in addresses]
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def known_kinds(missing: str) -> Guard:
    """Does the API server serve what tells nodes to speak BGP, and what they say of it? An empty answer about
    a kind that is not there is no answer: a speaker keeps what it announces when its CRD is deleted.
    `missing` says what is not served, "" = all is."""
    name = "known-kinds"
    if missing:
        return Guard(name, "refuse", missing)
    return Guard(name, "ok", "the cluster serves what tells nodes to speak BGP, and what they say of it")


@dataclass(frozen=True, slots=True)
class OtherStack:
    """A BGP stack that may announce for the node beside the one that a run is about. `sign`: by what it is
    seen there; `unseen`: why nobody could look, "" = somebody did."""

    title: str
    sign: str = ""
    unseen: str = ""


def other_stacks(node: str, found: Sequence[OtherStack]) -> Guard:
    """Does another BGP stack announce for the node too? What that one announces, the drain neither withdraws
    nor has anybody asked about."""
    told = [
        f"whether {one.title} has {node} too is not known ({one.unseen})"
        if one.unseen
        else f"{one.title}, {one.sign}, has {node} too"
        for one in found
    ]
    if not told:
        return Guard(OTHER_STACKS, "ok", f"no other BGP stack has {node}")
    end = "its routes this drain neither withdraws nor proves gone"
    return Guard(OTHER_STACKS, "refuse", f"{'; '.join(told)}: {end}", BESIDE_ANOTHER)


def paths_unknown() -> Guard:
    """Nobody outside the node knows what it announces."""
    text = "whether another node announces the same addresses cannot be told from outside"
    return Guard("last-path", "warn", text)


# --- budget -----------------------------------------------------------------------------------------------


def out_of_service(
    node: str,
    others: Collection[str],
    maximum: int = 1,
    deciding: Collection[str] = (),
    by_hand: Mapping[str, str] = NOBODY,
) -> Guard:
    """How many nodes may be out at once? `others` are those that bgpctl has taken out already, `deciding`
    those whose drain is at this very check too, and goes first, `by_hand` those that somebody else took out,
    with how (`core/drain/standing.py`)."""
    name = "out-of-service"
    away = sorted({*others, *by_hand} - {node})
    if len(away) >= maximum:
        verb = "is" if len(away) == 1 else "are"
        named = (f"{one} (by hand: {by_hand[one]})" if one in by_hand else one for one in away)
        message = f"{', '.join(named)} {verb} out of service already, and at most {maximum} may be"
        back = away[0] if away else ""
        return Guard(name, "refuse", message, f"{MAX_UNAVAILABLE} {len(away) + 1}", back, back in by_hand)
    if len(away) + len(set(deciding)) >= maximum:
        return Guard(name, "wait", f"the drain of {', '.join(sorted(deciding))} is being checked too")
    return Guard(name, "ok", f"{len(away)} other nodes are out of service")


# --- other owners of the node -------------------------------------------------------------------------------


def medik8s(node: str, lease: Mapping[str, Any] | None, now: float) -> Guard:
    """The Lease `node-<name>` in `medik8s-leases`, that maintenance and fencing share (drain.md 2.1). None =
    there is none."""
    try:
        spec = Foreign.of(lease or {}).child("spec")
        holder, length = spec.text("holderIdentity"), spec.optional_integer("leaseDurationSeconds")
        since = spec.instant("renewTime") or spec.instant("acquireTime")
    except Unreadable as error:
        message = (
            f"Lease node-{node} in {MEDIK8S_NAMESPACE} cannot be read ({error.message}): see who holds it"
        )
        return Guard("medik8s", "refuse", message)
    if not holder:
        return Guard("medik8s", "ok", "no medik8s lease is held")
    # A lease that says neither when nor for how long cannot be seen to have ended.
    if since and length is not None and since + length < now:
        return Guard("medik8s", "warn", f"{holder} left an expired medik8s lease on {node}")
    message = f"{holder} owns {node} (Lease node-{node} in {MEDIK8S_NAMESPACE}): let it finish first"
    return Guard("medik8s", "refuse", message)


def medik8s_unseen(node: str, there: bool) -> Guard:
    """Without the right to see its Leases. `there`: is medik8s in the cluster at all?"""
    if not there:
        return Guard("medik8s", "ok", "medik8s is not in the cluster")
    message = f"whether medik8s owns {node} is not known: no right to get leases in {MEDIK8S_NAMESPACE}"
    return Guard("medik8s", "warn", message)


def kured(
    node: str, lock: str | None, annotations: Mapping[str, str], now: float, where: str = "its DaemonSet"
) -> Guard:
    """kured's reboot lock: JSON in an annotation of its DaemonSet (drain.md 2.2), None = there is none.

    Refuses while kured works on this node, warns while it works on another one, and when it cannot be read.
    """
    if KURED_REBOOTING in annotations:
        message = f"kured reboots {node} (annotation {KURED_REBOOTING}): let it finish first"
        return Guard("kured", "refuse", message)
    if not lock:
        return Guard("kured", "ok", "kured holds no lock")
    try:
        holders = _kured_holders(Foreign.of(parse_json(lock, LONGEST_LOCK)), now)
    except Unreadable:
        return Guard("kured", "warn", f"kured's lock on {where} cannot be read: {lock[:60]!r}")
    if node in holders:
        message = (
            f"kured holds its reboot lock for {node} (annotation {KURED_LOCK} of {where}): let it finish, "
            "or remove the annotation when no kured runs"
        )
        return Guard("kured", "refuse", message)
    if holders:
        return Guard("kured", "warn", f"kured holds its reboot lock for {', '.join(sorted(holders))}")
    return Guard("kured", "ok", "kured's lock has expired")


def _kured_holders(lock: Foreign, now: float) -> frozenset[str]:
    """The nodes of the locks that still hold: one lock, or a list with `--concurrency`."""
    locks = lock.children("locks") if "locks" in lock.value else (lock,)
    return frozenset(one.required("nodeID") for one in locks if not _kured_expired(one, now))


def _kured_expired(lock: Foreign, now: float) -> bool:
    """`TTL` is in nanoseconds; 0 = never. A lock without a date (set by hand) never expires either."""
    ttl, created = lock.integer("TTL"), lock.instant("created")
    return bool(ttl and created and created + ttl / 1e9 < now)


def removal_taints(node: str, taints: Any) -> Guard:
    """Is somebody else removing or draining this node? Their taint says so (drain.md 2.1, 2.7, 3)."""
    listed = taints if isinstance(taints, Sequence) else ()
    keys = [str(taint.get("key")) for taint in listed if isinstance(taint, Mapping)]
    owners = [f"{REMOVAL_TAINTS[key]} (taint {key})" for key in keys if key in REMOVAL_TAINTS]
    if not owners:
        return Guard("removal-taints", "ok", f"nobody else is taking {node} out")
    return Guard("removal-taints", "refuse", f"{', '.join(owners)} is taking {node} out: let it finish first")

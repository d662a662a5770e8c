"""When a node must not be announced from, though a policy says so: what the Node itself says against it.

- Its label node.kubernetes.io/exclude-from-external-load-balancers, by presence and whatever its value, as
  MetalLB and the cloud service controller take it: no Service routes. PodCIDRs stay: pods live on.
- Its condition NetworkUnavailable=True: nothing at all.
- On the way up, until it was Ready once, and until the operator's own checks have agreed once where there are
  any (`speaker run --ready-url`, `--ready-command`): nothing at all. A node that turns NotReady later keeps
  what it announces, because its pods run on while its kubelet is away, and restarting is not leaving.

Sessions are not touched by any of these. The reasons are MetalLB's where it has one (facts: speakers.md
sections 1.2 and 1.5, section 6 item 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.reading.documents import labels_of

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

NODE_EXCLUDED = "nodeLabeledExcludeBalancers"
NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
NODE_NOT_READY = "nodeNotReady"
NODE_NOT_CONFIRMED = "nodeReadinessNotConfirmed"

# (reason, detail); the reason "" withholds nothing.
Verdict = tuple[str, str]
OPEN: Verdict = ("", "")


@dataclass(frozen=True, slots=True)
class Gate:
    """`everything` withholds every route, `services` those of Services. `opened`: the node was Ready, and
    confirmed to be, at least once since it was selected. `note`: a sentence worth telling."""

    everything: Verdict = OPEN
    services: Verdict = OPEN
    opened: bool = True
    note: str = ""


def gate(node: Mapping[str, Any], opened: bool, unconfirmed: str = "") -> Gate:
    """What may be announced from `node` (a Node document).

    `opened`: it was Ready before, or announced something before and has not been booted since
    (`announced_before`). `unconfirmed`: why the operator's own checks do not agree yet, "" = they do. A Node
    without a Ready condition, as in a file, is taken as ready.
    """
    conditions = conditions_of(node)
    ready = conditions.get("Ready", "True")
    now_open = opened or (ready == "True" and not unconfirmed)
    services = (NODE_EXCLUDED, f"the node has the label {EXCLUDE_LABEL}")
    return Gate(
        everything=_everything(conditions, ready, now_open, unconfirmed),
        services=services if EXCLUDE_LABEL in labels_of(node) else OPEN,
        opened=now_open,
        note=_note(ready, opened, unconfirmed),
    )


def _note(ready: str, opened: bool, unconfirmed: str) -> str:
    if opened:
        return "" if ready == "True" else f"the node is not Ready ({ready}): what it announces stays"
    return f"nothing is announced yet: {unconfirmed}" if unconfirmed else ""


def _everything(conditions: Mapping[str, str], ready: str, opened: bool, unconfirmed: str) -> Verdict:
    if conditions.get("NetworkUnavailable") == "True":
        return NODE_NETWORK_UNAVAILABLE, "the node's condition NetworkUnavailable is True"
    if not opened and ready != "True":
        return NODE_NOT_READY, f"the node is not Ready yet ({ready}): it announces nothing before it was once"
    if not opened:
        return NODE_NOT_CONFIRMED, unconfirmed
    return OPEN


def announced_before(intended: int, heartbeat: float, booted_at: float | None) -> bool:
    """Did the speaker that ran before this one announce from the node as it runs now?

    It meant to announce `intended` routes at `heartbeat` (epoch seconds), as it last published. After a boot
    nothing of that counts: the node's datapath is as empty as a new node's. `booted_at` None = not known;
    then it counts, because taking routes away from a node that works is the greater harm.
    """
    return intended > 0 and (booted_at is None or heartbeat > booted_at)


def conditions_of(node: Mapping[str, Any]) -> dict[str, str]:
    """The Node's conditions, type -> status; malformed ones are left out."""
    status = node.get("status")
    listed = status.get("conditions") if isinstance(status, Mapping) else None
    items = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ()
    pairs = ((c.get("type"), c.get("status")) for c in items if isinstance(c, Mapping))
    return {kind: value for kind, value in pairs if isinstance(kind, str) and isinstance(value, str)}

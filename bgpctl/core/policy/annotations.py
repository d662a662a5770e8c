"""bgpctl's own annotations: what the custom resources have no field for. Pure.

`bgpctl.io/graceful-notification: "true"` on a CiliumBGPPeerConfig or a CiliumBGPPeeringPolicy sends the N bit
(RFC 8538) to its peers; on a Node it decides for all peers of that node. Off by default: where both sides
send it, a router keeps the routes of a node that died for hold time + restart time (facts: bgp.md 3.2).

`bgpctl.io/graceful-shutdown-soak: 5s` on a Node: before it leaves, its routes are announced with
GRACEFUL_SHUTDOWN (RFC 8326) for that long. It goes before `speaker run --graceful-shutdown-soak`.

`bgpctl.io/leave` on a Node: a name for one request to leave, written in the same patch as the label that
takes the node out. A speaker repeats it in its state (`observedLeave`) once it has seen that Node, so that an
answer to an earlier request cannot be taken for an answer to this one.

`bgpctl.io/run` on a Node: the journal of its last run (`runbooks.journal`), of which only this is read here:
is one unfinished, and since when.

`bgpctl.io/leave-reason` on a Node: why, in the operator's words, written in that patch too. The speaker puts
them into the Cease that the routers get.

A bad value costs that value only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.fields import Faults, show
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json

GRACEFUL_NOTIFICATION = "bgpctl.io/graceful-notification"
GRACEFUL_SHUTDOWN_SOAK = "bgpctl.io/graceful-shutdown-soak"

LEAVE = "bgpctl.io/leave"
LEAVE_REASON = "bgpctl.io/leave-reason"

LONGEST_REASON = 120  # characters; a Cease has room for 255 octets (RFC 9003), and is cut there

RUN = "bgpctl.io/run"
LONGEST_RUN = 256 << 10  # what the API server allows for all annotations of an object together
RUNS = ("drain", "restore", "restart")
LAST_STEP = "ShutDown"  # of a drain, which leaves its journal behind; the others remove it

WITHOUT_RESTART = "has no effect: graceful restart is off for every peer"

_LEAVE_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")

_SWITCH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the annotations of a Node set; None = it does not say."""

    graceful_notification: bool | None = None
    soak: float | None = None


NO_SETTINGS = NodeSettings()


def leave_name(annotations: Mapping[str, str]) -> str:
    """The name of the request to leave, "" where there is none that is one."""
    name = annotations.get(LEAVE, "")
    return name if _LEAVE_NAME.fullmatch(name) else ""


@lru_cache(maxsize=1)
def unfinished(text: str) -> tuple[str, float] | None:
    """Of a journal: the command of a run that is not done, and the epoch second when it began. None = there
    is none, or it cannot be read."""
    try:
        run = Foreign.of(parse_json(text, LONGEST_RUN))
        command, began = run.choice("command", RUNS), run.number("started_at")
        done = LAST_STEP in run.child("steps").value
    except Unreadable:
        return None
    return (command, began) if began and not done else None


def valid_reason(text: str) -> bool:
    """One line that is seen as it is, and not longer than a Cease may carry it."""
    return 0 < len(text) <= LONGEST_REASON and text.isprintable() and text == text.strip()


def leave_reason(annotations: Mapping[str, str]) -> str:
    """Why the node is to leave, "" where nobody says."""
    text = annotations.get(LEAVE_REASON, "")
    return text if valid_reason(text) else ""


def node_settings(annotations: Mapping[str, str]) -> tuple[NodeSettings, tuple[str, ...]]:
    """The settings, and a sentence for each value that is none."""
    notification, fault = _switch(annotations, GRACEFUL_NOTIFICATION)
    soak, other = _duration(annotations, GRACEFUL_SHUTDOWN_SOAK)
    return NodeSettings(notification, soak), tuple(f"annotation {text}" for text in (fault, other) if text)


def read_graceful_notification(document: Mapping[str, Any], faults: Faults, without: Sequence[str]) -> bool:
    """The annotation of an object that configures peers; `without` names those that have no graceful restart.
    Nonsense is a fault in a file, and no reason to lose an object of the API server."""
    value, fault = _switch(annotations_of(document), GRACEFUL_NOTIFICATION)
    path = f"metadata.annotations[{GRACEFUL_NOTIFICATION}]"
    if fault:
        report = faults.error if faults.strict else faults.warn
        report(path, fault.removeprefix(f"{GRACEFUL_NOTIFICATION}: "))
    if value and without:
        faults.warn(path, f"has no effect for {', '.join(without)}: graceful restart is off there")
    return bool(value)


def _switch(annotations: Mapping[str, str], key: str) -> tuple[bool | None, str]:
    text = annotations.get(key)
    if text is None or text in _SWITCH:
        return _SWITCH.get(text or ""), ""
    return None, f'{key}: must be "true" or "false"; it is {show(text)}'


def _duration(annotations: Mapping[str, str], key: str) -> tuple[float | None, str]:
    text = annotations.get(key)
    if text is None:
        return None, ""
    try:
        return seconds(text), ""
    except ValueError:
        return None, f"{key}: must be a duration like 5s or 1m30s; it is {show(text)}"

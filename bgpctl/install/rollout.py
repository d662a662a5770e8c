"""Wait until the DaemonSets run everywhere: a line every ten seconds, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bgpctl.errors import DeadlineExceeded, Temporary
from bgpctl.install import found
from bgpctl.install.manifests import Manifest, words_of
from bgpctl.kube.client import Client

LOOK_EVERY = 1.0
SAY_EVERY = 10.0


def waiting(document: Mapping[str, Any] | None) -> str:
    """What a DaemonSet lacks, "" = nothing: its controller has seen it, every node has its pod, each is
    ready; and where it rolls by itself, each is of the template as it is now. Pure."""
    if document is None:
        return "it is gone"
    status = document.get("status") or {}
    if status.get("observedGeneration", 0) < document["metadata"].get("generation", 1):
        return "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    if not wanted:
        return "no node is selected: --set nodeSelector=… says which are"
    rolls = ((document.get("spec") or {}).get("updateStrategy") or {}).get("type") != "OnDelete"
    parts = [("updatedNumberScheduled", "have the new template")] if rolls else []
    for field, what in (*parts, ("numberReady", "are ready")):
        number = status.get(field, 0)
        if number < wanted:
            return f"{number} of {wanted} pods {what}"
    return ""


def follow(
    client: Client,
    wanted: Sequence[Manifest],
    timeout: float,
    *,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """A line whenever there is something to say. Ends when all of them are rolled out; raises
    DeadlineExceeded after `timeout` seconds."""
    sets = [one for one in wanted if one.kind == "DaemonSet"]
    began, said = now(), -SAY_EVERY
    while True:
        left = _left(client, sets)
        if not left:
            yield f"rolled out: {', '.join(one.words for one in sets)}"
            return
        told = "; ".join(left)
        if now() - began >= timeout:
            raise DeadlineExceeded(
                f"not rolled out within {timeout:.0f} s: {told}",
                "the objects are there, and the rollout goes on by itself\n"
                f"to see why: kubectl -n {sets[0].namespace} get pods,events",
            )
        if now() - began - said >= SAY_EVERY:
            said = now() - began
            yield f"{said:.0f} s: {told}"
        pause(LOOK_EVERY)


def _left(client: Client, sets: Sequence[Manifest]) -> list[str]:
    try:
        seen = [(one, waiting(client.find(found.path(one)))) for one in sets]
    except Temporary as error:
        return [error.message]
    return [f"{words_of(one.document)}: {lacks}" for one, lacks in seen if lacks]

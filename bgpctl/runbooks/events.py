"""What a run did, as Events on its Node: `kubectl describe node` tells the story.

Best effort: without the right to write them, or where the API server does not take one, only the Event is
missing. They are written behind the journal and under the same fence, so that a run that was replaced writes
none. An Event is named after its run and what it tells: said again, it is counted and not written anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Conflict
from bgpctl.runbooks.evidence import gone
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision

COMPONENT = "bgpctl"
NAMESPACE = "default"  # where Events of what is in no namespace belong
LONGEST = 1024  # characters of a message that the API server takes

TOLD: Mapping[tuple[str, str], str] = {
    ("drain", "Checked"): "DrainStarted",
    ("drain", "Cordoned"): "Cordoned",
    ("drain", "Evicted"): "Evicted",
    ("drain", "Withdrawn"): "RoutesWithdrawn",
    ("drain", "ShutDown"): "Drained",
    ("restore", "Claimed"): "RestoreStarted",
    ("restore", "Announced"): "RoutesAnnounced",
    ("restore", "Uncordoned"): "Restored",
    ("restart", "Graceful"): "SpeakerRestartStarted",
    ("restart", "Announced"): "SpeakerRestarted",
}
"""The steps that matter, by command, and the reasons of their Events."""
STOPPED = {"drain": "DrainStopped", "restore": "RestoreStopped", "restart": "SpeakerRestartStopped"}


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of one run. `fence` raises where another run has the node."""

    hold: Hold
    fence: Callable[[], None]

    def done(self, step: str, decision: Decision, journal: Journal) -> None:
        """A step was done and is in the journal."""
        if reason := TOLD.get((journal.command, step)):
            self._tell(journal, reason, _message(step, decision, journal), "Normal")

    def stopped(self, status: str, why: str, journal: Journal) -> None:
        """The run ended before its end."""
        reason = STOPPED.get(journal.command, "RunStopped")
        self._tell(journal, reason, f"run {journal.run} {_ENDED.get(status, status)}: {why}", "Warning")

    def _tell(self, journal: Journal, reason: str, message: str, kind: str) -> None:
        with contextlib.suppress(BgpctlError):
            self.fence()
            event = self._event(journal, reason, message, kind)
            try:
                self.hold.client.create(paths.events(NAMESPACE), event)
            except Conflict:
                self._again(event)

    def _again(self, event: dict[str, Any]) -> None:
        path = f"{paths.events(NAMESPACE)}/{event['metadata']['name']}"
        count = self.hold.client.get(path).get("count")
        self.fence()  # what was asked meanwhile took its time
        change = {key: event[key] for key in ("message", "lastTimestamp", "reportingInstance")}
        self.hold.client.patch(path, {**change, "count": (count if isinstance(count, int) else 1) + 1})

    def _event(self, journal: Journal, reason: str, message: str, kind: str) -> dict[str, Any]:
        metadata, node = self.hold.document["metadata"], self.hold.node
        name = f"{node[:180].rstrip('.-')}.{COMPONENT}-{journal.run}-{reason.lower()}"
        at = datetime.fromtimestamp(self.hold.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": node, "uid": metadata["uid"]},
            "reason": reason,
            "message": message[:LONGEST],
            "type": kind,
            "count": 1,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "source": {"component": COMPONENT},
            "reportingComponent": "bgpctl.io/runbook",
            "reportingInstance": journal.holder[:128],
        }


_ENDED = {"deadline": "ran out of time", "interrupted": "was stopped", "blocked": "may not go on"}


def _message(step: str, decision: Decision, journal: Journal) -> str:
    """With why the run was asked for, where it begins; with the proof, where routes are gone."""
    said = journal.options.get("--reason", ())
    if step in ("Checked", "Graceful") or (journal.command, step) == ("restore", "Claimed"):
        why = f": {said[-1]}" if said else ""
        return f"run {journal.run} of {journal.holder.partition('/')[0]} began{why}"
    if step == "Withdrawn":
        return gone(journal.evidence)
    if step == "ShutDown":
        return f"{decision.reason}: {gone(journal.evidence)}"
    return decision.reason

"""Writes the verdicts on the v2 resources into their status.conditions, from one process of the cluster.

Who holds the Lease `bgpctl-verdicts` watches Nodes and BGPNodeStates besides what a speaker reads anyway, and
writes an object only when its verdicts changed, at most once a second. Everybody else has one watch, on the
Lease; in a cluster without v2 objects nobody has even that. CiliumBGPPeeringPolicies have no status: their
verdicts are in `policy check` and in the problems of BGPNodeStates.

What was written is remembered, not watched: conditions that somebody else deletes come back with the next
change of the object or of its verdicts, or with the next holder.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgpctl.core.policy.v2 import cluster, peer, status
from bgpctl.core.policy.v2.conditions import Condition, conditions
from bgpctl.core.reading.documents import metadata, name_of
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict, NotFound
from bgpctl.kube.election import Election, Terms
from bgpctl.kube.watch import Mirror

Document = dict[str, Any]

LEASE = "bgpctl-verdicts"
PLURALS = {cluster.KIND: "ciliumbgpclusterconfigs", peer.KIND: "ciliumbgppeerconfigs"}

# Seconds: between two turns; between two writes; after a failure that may pass; after a refusal.
PACE, MINIMUM, RETRY, REFUSED = 0.1, 1.0, 5.0, 300.0

TERMS = Terms()

log = logging.getLogger("bgpctl.operator")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a speaker reads anyway. `secrets` are the names of the Secrets that have a password, None = they
    may not be read."""

    policies: Sequence[Document] = ()
    cluster_configs: Sequence[Document] = ()
    peer_configs: Sequence[Document] = ()
    secrets: Collection[str] | None = None

    @property
    def objects(self) -> Iterator[tuple[str, Document]]:
        """(kind, object) of what conditions are written on. A CiliumBGPPeeringPolicy has no status."""
        yield from ((cluster.KIND, document) for document in self.cluster_configs)
        yield from ((peer.KIND, document) for document in self.peer_configs)


class Verdicts:
    """A thread that decides and writes while it leads. `me` names the node; `poke` says that `inputs` may
    have changed."""

    def __init__(
        self, client: Client, me: str, inputs: Callable[[], Inputs | None], terms: Terms = TERMS
    ) -> None:
        self._client, self._inputs = client, inputs
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._make: Callable[[], Election] = lambda: Election(client, LEASE, me, self.poke, terms)
        self._election: Election | None = None
        self._world: _World | None = None
        self._judged: tuple[object, ...] | None = None
        self._written: dict[str, tuple[object, ...]] = {}
        self._not_before = 0.0
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)

    def start(self) -> Verdicts:
        self._thread.start()
        return self

    def poke(self) -> None:
        """At once, from any thread; many pokes within a turn lead to one more."""
        self._wake.set()

    def stop(self, timeout: float = 2.0) -> None:
        """Waits at most `timeout` seconds for the thread to give its Lease back and end."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(timeout)

    def problems(self) -> tuple[str, ...]:
        """What keeps the conditions from being written; nothing where another speaker does it."""
        return (f"conditions are not written: {self._failure}",) if self._failure else ()

    # -- the loop

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            wait, deaf = self._patiently()
            self._stopped.wait(deaf)
        self._retire()

    def _patiently(self) -> tuple[float, float]:
        """One turn. Returns the seconds until the next one though nobody pokes, and those in which no poke
        counts: hundreds of Services may change in a second."""
        try:
            return self._turn()
        except Temporary as error:
            self._failed(error.message)
            return 0.0, RETRY
        except BgpctlError as error:
            problem = error.message
        except Exception as error:
            # The conditions are words about the objects: they must not cost the speaker anything.
            log.error("verdicts.bug", exc_info=error)
            problem = f"bug: {type(error).__name__}, see the speaker's log"
        self._failed(problem)
        self._retire()
        return 0.0, REFUSED

    def _failed(self, problem: str) -> None:
        if problem and problem != self._failure:
            log.warning("verdicts.not_written", extra={"error": problem})
        self._failure = problem

    def _turn(self) -> tuple[float, float]:
        inputs = self._inputs()
        if inputs is None or not any(inputs.objects):
            self._retire()
            self._failed("")
            return threading.TIMEOUT_MAX, PACE
        if self._election is None:
            self._election = self._make().start()
        if not self._election.leads():
            self._forget()
            self._failed("")
            return self._election.patience, PACE
        if time.monotonic() >= self._not_before:
            self._lead(inputs)
        return min(self._election.patience, max(0.0, self._not_before - time.monotonic())), PACE

    def _lead(self, inputs: Inputs) -> None:
        """A failure keeps the Lease: the others would fail in the same way."""
        if self._world is None:
            self._world = _World(self._client, self.poke)
        try:
            if not self._world.ready():
                return
            if self._judge(inputs, self._world):
                self._not_before = time.monotonic() + MINIMUM
        except BgpctlError as error:
            temporary = isinstance(error, Temporary)
            self._not_before = time.monotonic() + (RETRY if temporary else REFUSED)
            self._failed(error.message)
            if not temporary:
                self._forget()
        else:
            self._failed("")

    def _retire(self) -> None:
        self._forget()
        election, self._election = self._election, None
        if election is not None:
            try:
                election.resign()
            except BgpctlError as error:
                log.info("verdicts.not_resigned", extra={"error": error.message})

    def _forget(self) -> None:
        """Another one may write from here on."""
        if self._world is not None:
            self._world.stop()
            self._world = None
        self._judged = None
        self._written.clear()

    # -- deciding and writing

    def _judge(self, inputs: Inputs, world: _World) -> bool:
        """Was there anything to judge?"""
        nodes, selected_by = world.nodes(), world.selected_by()
        seen = (inputs, nodes, selected_by)
        if seen == self._judged:  # mirrored objects are the same ones until they change: this is quick
            return False
        has = status.owners(inputs.policies, inputs.cluster_configs, nodes, selected_by)
        found = conditions(inputs.cluster_configs, inputs.peer_configs, nodes, has, inputs.secrets)
        by_object: dict[str, list[Condition]] = {}
        for condition in found:
            by_object.setdefault(condition.object, []).append(condition)
        self._write(inputs, by_object)
        self._judged = seen
        return True

    def _write(self, inputs: Inputs, by_object: dict[str, list[Condition]]) -> None:
        """Every object whose verdicts are new. One that fails costs itself; the first failure is raised."""
        failures: list[BgpctlError] = []
        subjects = {f"{kind} {name_of(document)}": (kind, document) for kind, document in inputs.objects}
        for gone in self._written.keys() - subjects.keys():
            del self._written[gone]
        for subject, (kind, document) in subjects.items():
            meta, wanted = metadata(document), tuple(by_object.get(subject, ()))
            memory = (meta.get("uid"), meta.get("generation"), wanted)
            if self._written.get(subject) == memory:
                continue
            try:
                self._tell(kind, document, wanted)
            except BgpctlError as error:
                failures.append(error)
            else:
                self._written[subject] = memory
        if failures:
            raise failures[0]

    def _tell(self, kind: str, judged: Document, wanted: Sequence[Condition]) -> None:
        path = f"/apis/{judged['apiVersion']}/{PLURALS[kind]}/{paths.named(name_of(judged))}"
        try:
            document = self._client.get(path)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            entries = status.merged(document, wanted, metadata(judged).get("generation") or 0, now)
            if entries is None:
                return
            version = metadata(document).get("resourceVersion")
            body = {"metadata": {"resourceVersion": version}, "status": {"conditions": entries}}
            self._client.patch(f"{path}/status", body, fieldManager=status.MANAGER)
        except Conflict as error:
            raise Temporary(f"{kind} {name_of(judged)}: {error.message}") from None
        except NotFound:
            return  # it is gone, and the watch says so in a moment; or its CRD has no status
        bad = [condition.type for condition in wanted if condition.bad]
        log.info("verdicts.written", extra={"object": f"{kind} {name_of(judged)}", "bad": bad})


class _World:
    """What only the leader watches: the labels of all Nodes, and which object each speaker says it runs."""

    def __init__(self, client: Client, ring: Callable[[], None]) -> None:
        self._nodes = Mirror(client, paths.NODES, ring, slim=_labels_only).start()
        self._states = Mirror(client, paths.NODE_STATES, ring, slim=_selected_only).start()

    def ready(self) -> bool:
        """Raises BgpctlError when one of the two may not be read."""
        for mirror in (self._nodes, self._states):
            if mirror.refused:
                raise BgpctlError(mirror.problem)
        return self._nodes.synced.is_set() and self._states.synced.is_set()

    def nodes(self) -> tuple[Document, ...]:
        return self._nodes.items()

    def selected_by(self) -> dict[str, str]:
        return {name_of(state): state["selectedBy"] for state in self._states.items()}

    def stop(self) -> None:
        self._nodes.stop()
        self._states.stop()


def _labels_only(node: Document) -> Document:
    return {"metadata": {"name": name_of(node), "labels": metadata(node).get("labels") or {}}}


def _selected_only(state: Document) -> Document:
    selected = (state.get("status") or {}).get("selectedBy")
    return {"metadata": {"name": name_of(state)}, "selectedBy": selected if isinstance(selected, str) else ""}

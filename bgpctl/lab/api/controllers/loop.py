"""One thread that runs every controller: an event says what to look at, the look decides the rest."""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty
from threading import Thread

from bgpctl.lab.api.controllers import budgets, endpoints, nodes, workloads
from bgpctl.lab.api.controllers.cluster import Cluster
from bgpctl.lab.api.controllers.garbage import Garbage
from bgpctl.lab.api.controllers.images import Images
from bgpctl.lab.api.controllers.kubelet import Kubelets
from bgpctl.lab.api.documents import Document, controller_of, metadata, name_of, namespace_of
from bgpctl.lab.api.eviction import guards
from bgpctl.lab.api.operations import Operations
from bgpctl.lab.api.selectors import from_map
from bgpctl.lab.api.status import ApiError
from bgpctl.lab.api.store import Event, Key, Subscription

Item = tuple[str, str, str]
"""(plural, namespace, name) of an object to look at."""

_RETRY_SECONDS = 0.1
_IDLE_SECONDS = 5.0
_OWNER_PLURALS = {
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}
_LOOKED_AT = ("nodes", "pods", "services", "poddisruptionbudgets", "namespaces", *_OWNER_PLURALS.values())


class Controllers:
    """Start and stop; everything else happens by itself. Without a thread: `begin`, and `catch_up` whenever
    `clock` (seconds) has moved on."""

    def __init__(
        self,
        operations: Operations,
        *,
        grace_cap: float,
        start_delay: float,
        clock: Callable[[], float] = time.monotonic,
        images: Images | None = None,
    ) -> None:
        self._operations, self._clock = operations, clock
        self._cluster = Cluster(operations)
        self._garbage = Garbage(self._cluster)
        self._kubelets = Kubelets(
            self._cluster, clock, images or Images(), start_delay=start_delay, grace_cap=grace_cap
        )
        self._waiting: dict[Item, None] = {}
        self._later: list[tuple[float, Item]] = []
        self._events: Subscription | None = None
        self._thread: Thread | None = None
        self._reconcilers: Mapping[str, Callable[[Document], float | None]] = {
            "nodes": lambda d: nodes.reconcile(self._cluster, d),
            "pods": self._kubelets.reconcile,
            "services": lambda d: endpoints.reconcile(self._cluster, d),
            "poddisruptionbudgets": lambda d: budgets.reconcile(self._cluster, d, operations.now()),
            "deployments": lambda d: workloads.reconcile_deployment(self._cluster, d),
            "replicasets": lambda d: workloads.reconcile_replica_set(self._cluster, d),
            "statefulsets": lambda d: workloads.reconcile_stateful_set(self._cluster, d),
            "daemonsets": lambda d: workloads.reconcile_daemon_set(self._cluster, d),
            "namespaces": self._garbage.namespace_waits,
        }

    def start(self) -> None:
        """Look at everything there is, then at every change."""
        self.begin()
        self._thread = Thread(target=self._run, name="lab-api-controllers", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Note everything there is, to be looked at."""
        store = self._operations.store
        with store.lock:
            self._events = store.subscribe_to_everything()
            for key in store.filled():
                for stored in store.all(key)[0]:
                    self._garbage.note(key, stored.document, gone=False)
        for plural in _LOOKED_AT:
            for document in self._cluster.all(plural):
                self._look_at(plural, document)

    def catch_up(self) -> None:
        """Do everything that is due now, in this thread."""
        self._take_events(0.0)
        while self._do_next():
            self._take_events(0.0)

    def stop(self) -> None:
        """Returns when the thread has ended. Safe to call twice."""
        if self._events:
            self._events.close()
        if self._thread:
            self._thread.join()

    # --- the loop -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._take_events(self._spare()):
            self._do_next()

    def _do_next(self) -> bool:
        """Look at the next object. False when there is none."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            self._waiting[heapq.heappop(self._later)[1]] = None
        if not self._waiting:
            return False
        item = next(iter(self._waiting))
        del self._waiting[item]
        self._reconcile(item)
        return True

    def _spare(self) -> float:
        """For how many seconds there is nothing to do."""
        if self._waiting:
            return 0.0
        due = self._later[0][0] - self._clock() if self._later else _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, due))

    def _take_events(self, timeout: float) -> bool:
        """Note what has happened; waits so long for it. False at the end."""
        assert self._events
        try:
            event = self._events.queue.get(timeout=timeout) if timeout else self._events.queue.get_nowait()
            while event is not None:
                self._note(event)
                event = self._events.queue.get_nowait()
        except Empty:
            return True
        return False

    def _reconcile(self, item: Item) -> None:
        plural, namespace, name = item
        document = self._cluster.get(plural, namespace, name)
        if document is None:
            return
        try:
            again = self._reconcilers[plural](document)
            waits = self._garbage.owner_waits(self._cluster.resource(plural).key, document)
            again = waits if again is None else again
        except ApiError as error:
            # A conflict with a client's write: the next look sees the world as it is then.
            if error.code not in {404, 409}:
                _report(item, error)
            again = _RETRY_SECONDS
        except Exception as error:
            # One odd object must not stop the controllers for all the others.
            _report(item, error)
            return
        if again is not None:
            heapq.heappush(self._later, (self._clock() + again, item))

    # --- from events to objects ---------------------------------------------------------------------------

    def _note(self, event: Event) -> None:
        document, gone = event.stored.document, event.type == "DELETED"
        resource = self._operations.registry.by_kind(document["apiVersion"], document["kind"])
        if resource is None:
            return
        self._garbage.note(resource.key, document, gone=gone)
        if gone:
            self._garbage.owner_gone(document)
        for plural, found in self._concerned(resource.key, resource.plural, event, gone):
            self._look_at(plural, found)

    def _look_at(self, plural: str, document: Document) -> None:
        self._waiting[(plural, namespace_of(document), name_of(document))] = None

    def _concerned(self, key: Key, plural: str, event: Event, gone: bool) -> Iterator[tuple[str, Document]]:
        document = event.stored.document
        if plural in self._reconcilers and not gone:
            yield plural, document
        if plural == "pods":
            yield from self._around_pod(event, gone)
        elif plural == "nodes":
            yield from self._around_node(document, gone)
        owner = controller_of(document)
        if owner and owner["kind"] in _OWNER_PLURALS:
            place = {"namespace": namespace_of(document), "name": owner["name"]}
            yield _OWNER_PLURALS[owner["kind"]], {"metadata": place}
        if plural in {"replicasets", "statefulsets"}:
            # The budgets count what the owners want.
            for budget in self._cluster.all("poddisruptionbudgets", namespace_of(document)):
                yield "poddisruptionbudgets", budget
        if plural == "endpointslices" and gone:
            yield from (("services", s) for s in self._owners(document, "Service", "services"))

    def _owners(self, document: Document, kind: str, plural: str) -> Iterator[Document]:
        for owner in metadata(document).get("ownerReferences") or ():
            if owner["kind"] == kind and (
                found := self._cluster.get(plural, namespace_of(document), owner["name"])
            ):
                yield found

    def _around_pod(self, event: Event, gone: bool) -> Iterator[tuple[str, Document]]:
        document, namespace = event.stored.document, namespace_of(event.stored.document)
        seen = [document, *([event.previous.document] if event.previous else [])]
        for service in self._cluster.all("services", namespace):
            selector = from_map(service["spec"].get("selector"))
            if selector and any(selector.matches(pod) for pod in seen):
                yield "services", service
        for budget in self._cluster.all("poddisruptionbudgets", namespace):
            if any(guards(budget, pod) for pod in seen):
                yield "poddisruptionbudgets", budget
        if gone:
            self._kubelets.forget(document)

    def _around_node(self, node: Document, gone: bool) -> Iterator[tuple[str, Document]]:
        """A node's change matters to its pods, to pods without a node, and to every DaemonSet."""
        for pod in self._cluster.all("pods"):
            there = pod["spec"].get("nodeName")
            if there == name_of(node) and gone:
                self._cluster.delete("pods", pod, grace=0)
            elif there in (None, "", name_of(node)):
                yield "pods", pod
        for daemon_set in self._cluster.all("daemonsets"):
            yield "daemonsets", daemon_set


def _report(item: Item, error: Exception) -> None:
    print(f"lab API: controller of {'/'.join(item)}: {type(error).__name__}: {error}", file=sys.stderr)

"""The verbs on stored objects: create, update, patch, delete, evict. The one way by which anything changes.

HTTP requests, controllers and seeds all come through here, so that none of them can do what a client could
not. Reads that decide about a write happen under the store's lock.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bgpctl.lab.api import (
    allocation,
    apply,
    defaults,
    definitions,
    deletion,
    eviction,
    managed,
    patch,
    status,
    strategy,
)
from bgpctl.lab.api.deletion import DeleteOptions
from bgpctl.lab.api.documents import Document, clone, metadata, timestamp
from bgpctl.lab.api.resources import CRDS, Registry, Resource
from bgpctl.lab.api.routes import Target
from bgpctl.lab.api.selectors import Selection
from bgpctl.lab.api.store import Store, Stored

NAMESPACES = ("", "namespaces")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a write's query says. `strict`: unknown fields are refused; `manager`: who writes, "" = the lab
    itself, which leaves no entry in managedFields; `force`: take fields from others."""

    dry_run: bool = False
    strict: bool = False
    manager: str = ""
    force: bool = False


NO_OPTIONS = WriteOptions()
DELETE_NOW = DeleteOptions()
Change = Callable[[Document], Document]


class Operations:
    """The verbs, on one store and one registry of resources. `clock` in epoch seconds: the server's time.

    `later` carries out what a server does a moment after it has answered; without anybody who waits, at once.
    """

    def __init__(self, store: Store, registry: Registry, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.registry = registry
        self.clock = clock
        self.later: Callable[[Callable[[], None]], None] = lambda work: work()
        self._definitions = definitions.Definitions(store, registry)
        self._addresses = allocation.ServiceAddresses()

    def fork(self, store: Store, registry: Registry, clock: Callable[[], float]) -> Operations:
        """The same on a copy of the store: addresses that were handed out stay handed out."""
        made = Operations(store, registry, clock)
        made._addresses = copy.deepcopy(self._addresses)
        return made

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def stamp(self) -> str:
        """This moment as metav1.Time."""
        return _stamp(int(self.clock()))

    def get(self, resource: Resource, namespace: str, name: str) -> Stored:
        """The object, or 404."""
        found = self.store.get(resource.key, namespace, name)
        if found is None:
            raise status.not_found(resource.group, resource.plural, name)
        return found

    def has(self, target: Target) -> bool:
        """Is there an object at this path?"""
        resource = self.registry.find(target.group, target.version, target.plural)
        return bool(resource and self.store.get(resource.key, target.namespace, target.name))

    # --- create and update --------------------------------------------------------------------------------

    def create(
        self, resource: Resource, namespace: str, document: Document, options: WriteOptions = NO_OPTIONS
    ) -> Stored:
        """A new object, or 404 (namespace), 409, 422."""
        if resource.terminating:
            raise status.method_not_allowed()
        new = strategy.created(resource, document, namespace, self.stamp(), strict=options.strict)
        new = self._noted(resource, None, new, "", options)
        name = new["metadata"]["name"]
        with self.store.lock:
            self._check_namespace(resource, namespace, name)
            if there := self.store.get(resource.key, namespace, name):
                going = bool(there.document["metadata"].get("deletionTimestamp"))
                raise status.already_exists(resource.group, resource.plural, name, going=going)
            if resource.plural == "services":
                self._addresses.assign(new)
            stored = self._commit(resource, None, new, options)
            if resource.key == CRDS and not options.dry_run:
                self._commit(resource, stored, defaults.established(new), NO_OPTIONS)
            return stored

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        found = self.store.get(NAMESPACES, "", namespace)
        if found is None:
            raise status.not_found("", "namespaces", namespace)
        if found.document["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = status.forbidden(resource.group, resource.plural, name, why)
            cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
            cause["message"] = f"namespace {namespace} is being terminated"
            error.details = {**(error.details or {}), "causes": [cause]}
            raise error

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        document: Document,
        subresource: str = "",
        options: WriteOptions = NO_OPTIONS,
    ) -> tuple[Stored, bool]:
        """PUT. Answers the object and whether it was created, which only a few kinds allow."""
        with self.store.lock:
            missing = self.store.get(resource.key, namespace, name) is None
            if missing and resource.upsert and not subresource:
                return self.create(resource, namespace, document, options), True
            if subresource == "finalize":
                return self._finalize(resource, name, document), False
            stored = self._change(resource, namespace, name, lambda _: document, subresource, options)
            return stored, False

    def _finalize(self, resource: Resource, name: str, document: Document) -> Stored:
        """`namespaces/finalize`: the only way to take off `spec.finalizers`."""
        old = self.get(resource, "", name)
        new = clone(old.document)
        new["spec"] = {**new["spec"], "finalizers": (document.get("spec") or {}).get("finalizers", [])}
        return self._commit(resource, old, new, NO_OPTIONS)

    def modify(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Change,
        subresource: str = "",
        options: WriteOptions = NO_OPTIONS,
    ) -> Stored:
        """Read, change, write, with nobody in between; `change` gets its own copy."""
        return self._change(resource, namespace, name, lambda old: change(clone(old)), subresource, options)

    def _change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Change,
        subresource: str,
        options: WriteOptions,
    ) -> Stored:
        with self.store.lock:
            old = self.get(resource, namespace, name)
            sent = change(old.document)
            new = strategy.updated(resource, old.document, sent, subresource, strict=options.strict)
            new = self._noted(resource, old.document, new, subresource, options)
            return self._commit(resource, old, new, options)

    def _noted(
        self, resource: Resource, old: Document | None, new: Document, subresource: str, options: WriteOptions
    ) -> Document:
        return managed.noted(old, new, options.manager, resource.api_version, subresource, self.stamp())

    def _commit(self, resource: Resource, old: Stored | None, new: Document, options: WriteOptions) -> Stored:
        """Store it, unless nothing changed, it is a dry run, or this was the last thing it waited for."""
        if old and old.document == new:
            return old
        if options.dry_run:
            return Stored(new, old.version if old else 0)
        if old and deletion.finished(resource, new):
            return self._remove(resource, new)
        stored = self.store.put(resource.key, new, given=True)
        if resource.key == CRDS:
            self._definitions.stored(stored.document)
        return stored

    def _remove(self, resource: Resource, last: Document) -> Stored:
        meta = last["metadata"]
        if resource.key == CRDS:
            self._definitions.removed(last)
        removed = self.store.remove(resource.key, meta.get("namespace", ""), meta["name"], last)
        return removed or Stored(last, 0)

    def clean_up(self, crds: Resource, name: str, uid: str) -> None:
        """The end of a definition that is being deleted: its objects first, one by one."""
        with self.store.lock:
            found = self.store.get(crds.key, "", name)
            if found is None or found.document["metadata"]["uid"] != uid:
                return
            self._definitions.empty(found.document)
            self._commit(crds, found, definitions.let_go(found.document), NO_OPTIONS)

    # --- patch --------------------------------------------------------------------------------------------

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        content_type: str,
        body: Any,
        subresource: str = "",
        options: WriteOptions = NO_OPTIONS,
    ) -> tuple[Stored, bool]:
        """PATCH of any type. Answers the object and whether it was created (server-side apply only)."""
        if content_type == patch.APPLY:
            return self._apply(resource, namespace, name, body, subresource, options)
        change = patcher(resource, content_type, body)
        return self._change(resource, namespace, name, change, subresource, options), False

    def _apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Document,
        subresource: str,
        options: WriteOptions,
    ) -> tuple[Stored, bool]:
        apply.check(resource, name, body, options.manager)
        manager, options = options.manager, replace(options, manager="")  # it makes its entry itself
        with self.store.lock:
            if self.store.get(resource.key, namespace, name) is None:
                if subresource:
                    raise status.not_found(resource.group, resource.plural, name)
                first = apply.applied(resource, None, body, manager, self.stamp(), force=options.force)
                first["metadata"]["name"] = name
                return self.create(resource, namespace, first, options), True

            def change(old: Document) -> Document:
                return apply.applied(
                    *(resource, old, body, manager, self.stamp()),
                    force=options.force,
                    subresource=subresource,
                )

            return self._change(resource, namespace, name, change, subresource, options), False

    # --- delete and evict ---------------------------------------------------------------------------------

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DELETE_NOW
    ) -> tuple[Stored, bool]:
        """DELETE. Answers the object's last state and whether it is gone already."""
        with self.store.lock:
            old = self.get(resource, namespace, name)
            deletion.check_allowed(resource, name)
            deletion.check_preconditions(resource, old.document, options)
            waiting = deletion.marked(resource, old.document, options, self.now())
            if options.dry_run:
                return Stored(waiting or old.document, old.version), waiting is None
            if waiting is None:
                return self._remove(resource, old.document), True
            stored = self._commit(resource, old, waiting, NO_OPTIONS)
            if resource.key == CRDS and definitions.held(waiting) and not definitions.held(old.document):
                uid = old.document["metadata"]["uid"]
                self.later(lambda: self.clean_up(resource, name, uid))
            return stored, False

    def delete_collection(
        self, resource: Resource, selection: Selection, options: DeleteOptions = DELETE_NOW
    ) -> list[Stored]:
        """Delete what the selection matches; answers the objects as they were listed."""
        listed, _ = self.store.all(resource.key, selection.namespace)
        chosen = [stored for stored in listed if selection.matches(stored.document)]
        for stored in chosen:
            meta = stored.document["metadata"]
            try:
                self.delete(resource, meta.get("namespace", ""), meta["name"], options)
            except status.ApiError as error:
                # Somebody else deleted it in the meantime: that is what was asked for.
                if error.code != 404:
                    raise
        return chosen

    def evict(self, pods: Resource, namespace: str, name: str, options: DeleteOptions) -> None:
        """The eviction subresource: a delete that asks the PodDisruptionBudgets first."""
        budgets = self.registry.by_plural("poddisruptionbudgets")
        with self.store.lock:
            pod = self.get(pods, namespace, name)
            listed = [stored.document for stored in self.store.all(budgets.key, namespace)[0]]
            verdict = eviction.decide(pod.document, listed, self.stamp())
            if verdict.budget is not None and not options.dry_run:
                # Before the delete and its preconditions, as in the real one: a stale UID costs a disruption
                # until the budget's controller notices (facts/drain.md section 1.3).
                old = self.get(budgets, namespace, metadata(verdict.budget)["name"])
                self._commit(budgets, old, verdict.budget, NO_OPTIONS)
            self.delete(pods, namespace, name, options)


@lru_cache(maxsize=8)
def _stamp(seconds: int) -> str:
    return timestamp(datetime.fromtimestamp(seconds, UTC))


def patcher(resource: Resource, content_type: str, body: Any) -> Change:
    """The function that applies a patch body, with the server's answers to patches that cannot be."""
    functions: dict[str, Callable[[Any, Any], Any]] = {patch.MERGE: patch.merge, patch.JSON: patch.json_patch}
    if not resource.custom:
        functions[patch.STRATEGIC] = patch.strategic
    if content_type not in functions:
        raise status.unsupported_media_type([*functions, patch.APPLY])

    def change(old: Document) -> Document:
        try:
            patched = functions[content_type](old, body)
        except patch.MalformedPatch as error:
            raise status.bad_request(str(error)) from error
        except patch.PatchError as error:
            raise status.unprocessable() from error
        if not isinstance(patched, dict):
            raise status.bad_request("the patched document is no object")
        return patched

    return change

"""The embedded Kubernetes API as one object: start, stop, seed. The composition root of this package."""

from __future__ import annotations

import copy
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread, Timer
from typing import Any

from bgpctl.errors import UsageError
from bgpctl.lab.api import auth, exec, http, kubeconfig, tls
from bgpctl.lab.api.auth import Tokens
from bgpctl.lab.api.controllers import Controllers
from bgpctl.lab.api.controllers.images import Images
from bgpctl.lab.api.documents import Document, clone, metadata, name_of, namespace_of
from bgpctl.lab.api.faults import Faults
from bgpctl.lab.api.operations import Operations
from bgpctl.lab.api.rbac import Roles
from bgpctl.lab.api.resources import CRDS, Registry, Resource
from bgpctl.lab.api.store import Store, Stored

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_STOP_SECONDS = 5.0
_LATER_SECONDS = 0.1


class ApiServer:
    """A Kubernetes API over HTTP (or HTTPS) on loopback. Start it once; stop it in any case.

    `port` 0 = any free one. `controllers` False leaves objects alone, as an apiserver without a cluster does.
    `grace_cap` is how long, in seconds, a terminating pod takes at most: like a process that exits quickly.
    `clock`, in epoch seconds, is what the server takes for the time: in answers' Date and in what it stamps.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: bool = False,
        controllers: bool = True,
        grace_cap: float = 1.0,
        start_delay: float = 0.2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = (host, port)
        self._with_tls = tls
        self._tls: Any = None
        self.tokens = Tokens()
        self.rights: auth.Rights = auth.EVERYTHING
        self.commands: exec.Commands = exec.no_containers
        self.faults = Faults()
        self.images = Images()
        self.store = Store()
        self.roles = Roles(self.store)
        self.registry = Registry()
        self.operations = Operations(self.store, self.registry, clock)
        self._controllers = (
            Controllers(self.operations, grace_cap=grace_cap, start_delay=start_delay, images=self.images)
            if controllers
            else None
        )
        self._http: http.HttpServer | None = None
        self._thread: Thread | None = None
        self._timers: list[Timer] = []
        self.url = ""
        for namespace in NAMESPACES:
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    @property
    def admin_token(self) -> str:
        """The bearer token that may do everything."""
        return self.tokens.admin

    @property
    def person_token(self) -> str:
        """The bearer token of a person who may do what `rights` say, as long as the server knows them."""
        return self.tokens.person

    @property
    def nobody_token(self) -> str:
        """The bearer token of an identity that may do nothing (403)."""
        return self.tokens.nobody

    def token_of(self, user: str) -> str:
        """The bearer token of any other user, who may do what the cluster's Roles grant."""
        return self.tokens.of(user)

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> ApiServer:
        """Listen, and return when connections are accepted; raises UsageError when the port is taken."""
        host, port = self._address
        if self._with_tls:
            self._tls = tls.make(host)
        try:
            self._http = http.HttpServer(self._address, self)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                "choose another port, or 0 for any free one",
            ) from error
        self.operations.later = self._later
        self.faults.on_outage = self._http.end_connections
        scheme = "https" if self._with_tls else "http"
        self.url = f"{scheme}://{host}:{self._http.server_address[1]}"
        self._thread = Thread(
            target=self._http.serve_forever, args=(0.05,), name="lab-api-accept", daemon=True
        )
        self._thread.start()
        if self._controllers:
            self._controllers.start()
        return self

    def stop(self) -> None:
        """End every connection, watch and thread. Safe to call twice, and without `start`."""
        if self._controllers:
            self._controllers.stop()
        for timer in self._timers:
            timer.cancel()
            timer.join(_STOP_SECONDS)
        if self._http is None:
            return
        server, self._http = self._http, None
        server.stopping.set()
        server.shutdown()
        self.store.end_subscriptions()
        server.end_connections()
        server.server_close()
        server.join_connections(_STOP_SECONDS)
        if self._thread:
            self._thread.join(_STOP_SECONDS)

    def _later(self, work: Callable[[], None]) -> None:
        timer = Timer(_LATER_SECONDS, work)
        timer.daemon = True
        self._timers = [each for each in self._timers if each.is_alive()] + [timer]
        timer.start()

    def __enter__(self) -> ApiServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wrap(self, connection: socket.socket) -> socket.socket:
        """The connection with TLS around it, where the server speaks TLS."""
        if self._tls is None:
            return connection
        wrapped: socket.socket = self._tls.context.wrap_socket(connection, server_side=True)
        return wrapped

    def fork(self, clock: Callable[[], float]) -> ApiServer:
        """Another server with the same objects, which nobody has started: whatever happens in one of the two
        stays there. Neither has controllers."""
        made = copy.copy(self)
        made.faults, made.store, made.registry = Faults(), self.store.fork(), self.registry.fork()
        made.operations = self.operations.fork(made.store, made.registry, clock)
        made.rights, made.images = self.rights, copy.deepcopy(self.images)
        made.roles = Roles(made.store)
        made._controllers = made._http = made._thread = None
        made._timers = []
        return made

    # --- from inside the process --------------------------------------------------------------------------

    def apply(self, *documents: Document) -> None:
        """Create or replace objects, status included; definitions of custom resources come first.

        Raises ApiError as a client would get it. Namespaces that are missing are not made.
        """
        for document in sorted(documents, key=_order):
            self._apply(document)

    def _apply(self, document: Document) -> None:
        resource = self._resource(document)
        namespace = (namespace_of(document) or "default") if resource.namespaced else ""
        name, sent = name_of(document), clone(document)
        there = self.store.get(resource.key, namespace, name)
        if there and resource.key == CRDS and metadata(there.document).get("deletionTimestamp"):
            self.operations.clean_up(resource, name, metadata(there.document)["uid"])
        if self.store.get(resource.key, namespace, name) is None:
            self.operations.create(resource, namespace, sent)
        else:
            self.operations.modify(resource, namespace, name, lambda old: _replaced(old, sent))
        if resource.status and document.get("status") is not None:
            self.operations.modify(
                resource, namespace, name, lambda old: {**old, "status": clone(document["status"])}, "status"
            )

    def _resource(self, document: Document) -> Resource:
        api_version, kind = document.get("apiVersion", ""), document.get("kind", "")
        found = self.registry.by_kind(api_version, kind)
        if found is None:
            raise UsageError(
                f"the lab's API does not know {kind} {api_version}",
                "apply its CustomResourceDefinition first",
            )
        return found

    def get(self, plural: str, name: str, namespace: str = "") -> Document | None:
        """A copy of an object, None when there is none. For seeds and tests."""
        stored = self.store.get(self.registry.by_plural(plural).key, namespace, name)
        return _copy(stored) if stored else None

    def objects(self, plural: str, namespace: str = "") -> list[Document]:
        """Copies of all objects of a resource (of a namespace)."""
        return [_copy(stored) for stored in self.store.all(self.registry.by_plural(plural).key, namespace)[0]]

    def kubeconfig(self, token: str = "") -> str:
        """A kubeconfig (YAML) with this token in it, or the admin's."""
        certificate = self._tls.certificate if self._tls else ""
        return kubeconfig.text(self.url, token or self.admin_token, certificate)

    def write_kubeconfig(self, path: Path, token: str = "") -> None:
        """The same as a file that only its owner can read."""
        kubeconfig.write(path, self.kubeconfig(token))


def _copy(stored: Stored) -> Document:
    return dict(clone(stored.document))


def _order(document: Document) -> int:
    """Definitions before their resources, namespaces before what is in them."""
    kind = document.get("kind")
    return 0 if kind == "CustomResourceDefinition" else 1 if kind == "Namespace" else 2


def _replaced(old: Document, sent: Document) -> Document:
    """`sent` in the place of `old`, whatever its version is now."""
    meta = {**metadata(sent), "resourceVersion": old["metadata"]["resourceVersion"]}
    return {**sent, "metadata": meta}

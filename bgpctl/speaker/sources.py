"""Where a speaker's objects come from: a Kubernetes API (mirrors kept by watches) or one YAML file.

A source rings the manager's bell on every change and hands out what is there now; it decides nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Secret
from bgpctl.core.policy.inputs import password_of
from bgpctl.core.policy.owners import OWNER_KINDS
from bgpctl.core.reading.documents import metadata, name_of
from bgpctl.core.shutdown import SHUTTING_DOWN
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.watch import Mirror
from bgpctl.speaker import netlink

Document = dict[str, Any]
Stamp = tuple[int, int, int]
T = TypeVar("T")

FILE_POLL_SECONDS = 0.3
LAST_LOOK_SECONDS = 1.0
FIRST_LISTS_SECONDS = 0.2  # the speakers of a cluster that is switched on start in one instant

log = logging.getLogger("bgpctl.speaker")


class KubeSource:
    """The objects one node needs, one watch per kind. `secrets`: of the Secrets only these, each by its name,
    which is what a role with resourceNames grants; None = all of the namespace."""

    def __init__(
        self,
        client: Client,
        node: str,
        secrets_namespace: str,
        ring: Callable[[], None],
        secrets: Collection[str] | None = None,
    ) -> None:
        def mirror(path: str | tuple[str, ...], slim: Callable[[Document], T], **query: str) -> Mirror[T]:
            # A CRD that somebody deletes must not take the sessions of every node down.
            custom = "cilium.io" in (path if isinstance(path, str) else path[0])
            return Mirror(client, path, ring, query=query, slim=slim, cling=custom)

        self._client, self._name = client, node
        self._node = mirror(paths.NODES, _slim_node, fieldSelector=f"metadata.name={node}")
        self._policies = mirror(paths.PEERING_POLICIES, _slim_metadata)
        self._services = mirror(paths.SERVICES, read_service)
        self._cluster_configs = mirror(paths.CLUSTER_CONFIGS, _slim_policy)
        self._peer_configs = mirror(paths.PEER_CONFIGS, _slim_policy)
        self._advertisements = mirror(paths.ADVERTISEMENTS, _slim_policy)
        self._overrides = mirror(paths.OVERRIDES, _slim_policy, fieldSelector=f"metadata.name={node}")
        self._slices = mirror(
            paths.ENDPOINT_SLICES, lambda item: read_slice(item, node), **paths.BALANCED_SLICES
        )
        wanted = [{}] if secrets is None else [{"fieldSelector": f"metadata.name={one}"} for one in secrets]
        self._secrets = tuple(
            mirror(paths.secrets(secrets_namespace), _slim_secret, **query) for query in wanted
        )
        self._lb_pools = mirror(paths.LB_POOLS, _slim_policy)
        self._pod_pools = mirror(paths.POD_POOLS, _slim_pool)
        self._cilium_node = mirror(paths.CILIUM_NODES, _slim_cilium, fieldSelector=f"metadata.name={node}")
        # What may be kept from us, by an older ClusterRole say, without stopping the rest.
        self._optional: tuple[Mirror[Any], ...] = (
            *self._secrets,
            self._lb_pools,
            self._pod_pools,
            self._cilium_node,
        )
        # All of them: without its CiliumBGPPeerConfigs, say, a cluster configuration would lose its peers.
        self._required: tuple[Mirror[Any], ...] = (
            self._node,
            self._policies,
            self._cluster_configs,
            self._peer_configs,
            self._advertisements,
            self._overrides,
            self._services,
            self._slices,
        )

        self._host = netlink.Watch(ring)

    def start(self) -> None:
        self._host.start()
        for mirror in (*self._required, *self._optional):
            mirror.start(within=FIRST_LISTS_SECONDS)

    def stop(self) -> None:
        self._host.stop()
        for mirror in (*self._required, *self._optional):
            mirror.stop()

    def ready(self) -> bool:
        optional = all(mirror.synced.is_set() or mirror.refused for mirror in self._optional)
        return optional and all(mirror.synced.is_set() for mirror in self._required)

    def observe(self) -> ClusterObjects:
        owners = zip(OWNER_KINDS, (self._policies, self._cluster_configs), strict=True)
        return ClusterObjects(
            node=self._own(self._node.items()),
            policies=self._policies.items(),
            services=self._services.items(),
            endpoint_slices=self._slices.items(),
            secrets=self._passwords(),
            cluster_configs=self._cluster_configs.items(),
            peer_configs=self._peer_configs.items(),
            advertisements=self._advertisements.items(),
            overrides=self._overrides.items(),
            lb_pools=self._lb_pools.items() if self._lb_pools.served else None,
            pod_pools=self._pod_pools.items() if self._pod_pools.synced.is_set() else None,
            cilium_node=self._own(self._cilium_node.items()),
            interfaces=self._host.readings.interfaces,
            gateways=self._host.readings.gateways,
            unserved=frozenset(kind for kind, mirror in owners if not mirror.served),
        )

    def _passwords(self) -> dict[str, Secret]:
        found = (secret for mirror in self._secrets for secret in mirror.items())
        return {name_of(secret): secret["password"] for secret in found if secret["password"]}

    def problems(self) -> tuple[str, ...]:
        return tuple(m.problem for m in (*self._required, *self._optional) if m.problem)

    def trouble(self) -> str:
        gone = [mirror.path for mirror in (*self._required, *self._optional) if mirror.gone]
        return f"the thread that watches {gone[0]} is gone" if gone else ""

    def node_uid(self) -> str | None:
        """metadata.uid of the Node, "" = there is no such Node, None = not known yet."""
        if not self._node.synced.is_set():
            return None
        node = self._own(self._node.items())
        return str(metadata(node).get("uid") or "") if node else ""

    def last_look(self) -> tuple[bool, Document | None]:
        """Asked in a thread, because a request may take longer than a stop has time for. As a list, which is
        what the watch needs too: without the right to `get` a Node, a leave would look like a restart."""
        found: list[Document | None] = []

        def ask() -> None:
            try:
                nodes = self._client.items(paths.NODES, fieldSelector=f"metadata.name={self._name}")
            except BgpctlError as error:  # refused, or away: what was seen before counts
                facts = {
                    "error": error.message,
                    "hint": "a Node that was deleted is taken for one that is there",
                }
                log.warning("speaker.node_not_read", extra=facts)
            else:
                found.append(self._own(nodes))

        asking = threading.Thread(target=ask, name="last look", daemon=True)
        asking.start()
        asking.join(LAST_LOOK_SECONDS)
        return (True, found[0]) if found else (False, self._own(self._node.items()))

    def _own(self, listed: Iterable[Document]) -> Document | None:
        """Ours of them: not everything between us and the API server minds a field selector."""
        return next((one for one in listed if name_of(one) == self._name), None)


class FileSource:
    """One YAML document stream of the same kinds, read again when the file changes. A file that turns bad
    keeps the last good objects and says so."""

    def __init__(
        self, path: Path, node: str, ring: Callable[[], None], *, poll: float = FILE_POLL_SECONDS
    ) -> None:
        self._path, self._node_name, self._ring, self._poll = path, node, ring, poll
        self._stopped = threading.Event()
        self._problem = ""
        self._objects: ClusterObjects | None = None
        self._thread: threading.Thread | None = None
        self._host = netlink.Watch(self._moved)
        self._lock = threading.Lock()  # of _objects: the file and the host change in threads of their own

    def start(self) -> None:
        """Read once in the caller's thread, so that a bad file is an error at the start; then follow."""
        stamp = self._stamp()
        objects = self._read()
        self._host.start()
        self._keep(objects)
        name = f"follow {self._path.name}"
        self._thread = threading.Thread(target=self._follow, args=(stamp,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._host.stop()

    def ready(self) -> bool:
        return self._objects is not None

    def observe(self) -> ClusterObjects:
        assert self._objects is not None, "observe() before start()"
        return self._objects

    def problems(self) -> tuple[str, ...]:
        return (self._problem,) if self._problem else ()

    def trouble(self) -> str:
        gone = self._thread is not None and not self._thread.is_alive() and not self._stopped.is_set()
        return f"the thread that follows {self._path} is gone" if gone else ""

    def last_look(self) -> tuple[bool, Document | None]:
        return False, dict(self._objects.node) if self._objects and self._objects.node else None

    def _keep(self, objects: ClusterObjects | None = None) -> None:
        """These objects, or those so far, on the host as it is now."""
        with self._lock:
            kept, seen = objects or self._objects, self._host.readings
            if kept is not None:
                self._objects = replace(kept, interfaces=seen.interfaces, gateways=seen.gateways)

    def _moved(self) -> None:
        self._keep()
        self._ring()

    def _read(self) -> ClusterObjects:
        from bgpctl.documents.files import load_documents, objects_from_documents

        return objects_from_documents(load_documents([str(self._path)]), self._node_name)

    def _stamp(self) -> Stamp | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _follow(self, read: Stamp | None) -> None:
        """Read again once a change has settled: half of a file that is being written is valid YAML too, with
        half of the routes."""
        seen = read
        while not self._stopped.wait(self._poll):
            before, seen = seen, self._stamp()
            if seen != read and seen == before:
                read = seen
                self._reread()

    def _reread(self) -> None:
        try:
            self._keep(self._read())
            self._problem = ""
        except BgpctlError as error:
            self._problem = f"{self._path} is kept as it was before: {error.message.splitlines()[0]}"
        except Exception as error:
            self._problem = f"{self._path} is kept as it was before: {type(error).__name__} while reading it"
        self._ring()


# --- what is kept of an object: a speaker holds every Service of the cluster in memory ---------------------


def _slim_metadata(item: Document) -> Document:
    metadata = item.get("metadata") or {}
    kept = ("name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "generation")
    return {**item, "metadata": {key: metadata[key] for key in kept if metadata.get(key)}}


def _slim_policy(item: Document) -> Document:
    """Without its status: conditions that change are no reason to compile anything."""
    return {key: value for key, value in _slim_metadata(item).items() if key != "status"}


def _slim_pool(item: Document) -> Document:
    """A CiliumPodIPPool is a name and labels for us."""
    return {"metadata": _slim_metadata(item)["metadata"]}


def _slim_cilium(item: Document) -> Document:
    """Of a CiliumNode only what is allocated: Cilium writes the rest of it all the time."""
    ipam = (item.get("spec") or {}).get("ipam") or {}
    kept = {
        "podCIDRs": ipam.get("podCIDRs"),
        "pools": {"allocated": (ipam.get("pools") or {}).get("allocated")},
    }
    return {"metadata": {"name": name_of(item)}, "spec": {"ipam": kept}}


def _slim_node(item: Document) -> Document:
    node = _slim_metadata(item)
    if leaving := (item.get("metadata") or {}).get("deletionTimestamp"):
        node["metadata"]["deletionTimestamp"] = leaving
    status = item.get("status") or {}
    kept = {key: status[key] for key in ("addresses", "conditions") if key in status}
    kept["conditions"] = [_slim_condition(c) for c in kept.get("conditions") or ()]
    return {**node, "status": kept}


def _slim_condition(condition: Document) -> Document:
    """Heartbeat times change every few minutes and mean nothing to us; of messages only one does."""
    slim = {"type": condition.get("type"), "status": condition.get("status")}
    told = SHUTTING_DOWN in str(condition.get("message"))
    return {**slim, "message": SHUTTING_DOWN} if told else slim


def _slim_secret(item: Document) -> Document:
    return {"metadata": {"name": name_of(item)}, "password": password_of(item)}

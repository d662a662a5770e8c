"""What only several documents together show: two objects for one node, and references that lead nowhere.

Two objects of one kind for one node are a fault. Everything else is a warning, because the missing part may
be in the cluster already; what it says holds for the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION, WITHOUT_RESTART, node_settings
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.peering import PeeringPolicy
from bgpctl.core.policy.v2.advertisement import KIND as ADVERTISEMENT
from bgpctl.core.policy.v2.advertisement import BGPAdvertisement
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.cluster import ClusterConfig
from bgpctl.core.policy.v2.override import NodeConfigOverride
from bgpctl.core.policy.v2.peer import KIND as PEER_CONFIG
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.reading.documents import annotations_of, labels_of
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.documents.files import Loaded, LoadedDocument
from bgpctl.errors import Problem

T = TypeVar("T")

# A valid document and what was read from it.
Valid = tuple[LoadedDocument, Any]
_Owner = tuple[LoadedDocument, PeeringPolicy | ClusterConfig]


@dataclass(frozen=True, slots=True)
class _Conflict:
    """The owner with the index `second` selects what `first` selects too: `where`."""

    first: int
    second: int
    where: str


class Together:
    """All documents of all files, the valid ones by what was read from them."""

    def __init__(self, loaded: Loaded, valid: Sequence[Valid]) -> None:
        self._nodes = [document for document in loaded.documents if document.kind == "Node"]
        self._documents = loaded.documents
        self._policies = _of(PeeringPolicy, valid)
        self._clusters = _of(ClusterConfig, valid)
        self._peers = _of(BGPPeerConfig, valid)
        self._adverts = _of(BGPAdvertisement, valid)
        self._overrides = _of(NodeConfigOverride, valid)

    def problems(self) -> Iterator[Problem]:
        """Two objects of one kind for one node."""
        for owners, word in ((self._policies, "policy"), (self._clusters, CLUSTER_CONFIG)):
            for conflict in self._conflicts(owners):
                (before, _), (document, _) = owners[conflict.first], owners[conflict.second]
                if before.name == document.name:
                    continue  # reported as a duplicate
                yield _at(
                    document,
                    "spec.nodeSelector",
                    f"selects {conflict.where} as {word} {before.name} ({before.source}, line {before.line}) "
                    f"does; one {word} per node is allowed",
                )

    def warnings(self) -> Iterator[Problem]:
        """Everything that would take no effect, were the files all there is."""
        yield from self._policy_and_cluster_config()
        yield from self._unselected()
        yield from self._missing_secrets()
        yield from self._dangling()
        yield from self._selectors_for_nothing()
        yield from self._idle_overrides()
        yield from self._idle_notifications()

    # -- who owns a node

    def _conflicts(self, owners: Sequence[_Owner]) -> list[_Conflict]:
        """By the Nodes in the files, else where the selectors alone prove it. At most one for each object,
        against the first one that it meets."""
        found: dict[int, _Conflict] = {}
        for node in self._nodes:
            labels = labels_of(node.value)
            selecting = [i for i, (_, owner) in enumerate(owners) if owner.selects(labels)]
            for second in selecting[1:]:
                found.setdefault(second, _Conflict(selecting[0], second, f"node {node.name}"))
        for first, second in _sure_overlaps(owners):
            found.setdefault(second, _Conflict(first, second, "every node that it selects"))
        return [found[second] for second in sorted(found)]

    def _policy_and_cluster_config(self) -> Iterator[Problem]:
        for policy in self._policies:
            owners: list[_Owner] = [policy, *self._clusters]
            for conflict in self._conflicts(owners):
                if conflict.first == 0:
                    message = (
                        f"selects {conflict.where} as {POLICY} {policy[0].name} does, "
                        "which goes before it on a node that neither has"
                    )
                    yield _at(owners[conflict.second][0], "spec.nodeSelector", message)

    def _unselected(self) -> Iterator[Problem]:
        """Only where the files have Nodes."""
        labels = [labels_of(node.value) for node in self._nodes]
        owners: list[_Owner] = [*self._policies, *self._clusters]
        for document, owner in owners if labels else ():
            if not any(owner.selects(one) for one in labels):
                yield _at(document, "spec.nodeSelector", "no Node in the files has these labels")

    # -- references

    def _missing_secrets(self) -> Iterator[Problem]:
        """Only a state file (it has Nodes) is meant to bring the Secrets along."""
        if not self._nodes:
            return
        known = {document.name for document in self._documents if document.kind == "Secret"}
        for document, path, name in self._secret_references():
            if name not in known:
                yield _at(document, path, f"no Secret {name} is in the files: this peer gets no session")

    def _secret_references(self) -> Iterator[tuple[LoadedDocument, str, str]]:
        for document, policy in self._policies:
            for r, router in enumerate(policy.virtual_routers):
                for n, neighbor in enumerate(router.neighbors):
                    if neighbor.auth_secret:
                        path = f"spec.virtualRouters[{r}].neighbors[{n}].authSecretRef"
                        yield document, path, neighbor.auth_secret
        for document, config in self._peers:
            if config.secret:
                yield document, "spec.authSecretRef", config.secret

    def _dangling(self) -> Iterator[Problem]:
        """References to peer configurations that are in no file. An invalid one is there, with its faults."""
        known = {document.name for document in self._documents if document.kind == PEER_CONFIG}
        wanted: set[str] = set()
        for document, config in self._clusters:
            for i, instance in enumerate(config.instances):
                for p, peer in enumerate(instance.peers):
                    if peer.config is None:
                        continue
                    wanted.add(peer.config)
                    if peer.config not in known:
                        path = f"spec.bgpInstances[{i}].peers[{p}].peerConfigRef.name"
                        message = f"no {PEER_CONFIG} {peer.config} is in the files: this peer gets no session"
                        yield _at(document, path, message)
        for document, settings in self._peers if self._clusters else ():
            if settings.name not in wanted:
                yield _at(document, "metadata.name", "no peer in the files refers to it: it has no effect")

    def _selectors_for_nothing(self) -> Iterator[Problem]:
        """Families that select no advertisement, and advertisements that no family selects."""
        selectors: list[LabelSelector] = []
        # An invalid one is there, with its faults.
        labels = [labels_of(d.value) for d in self._documents if d.kind == ADVERTISEMENT]
        for document, config in self._peers:
            # Only the families that are spoken are kept: their place in the document is looked up again.
            for path, selector in _written_families(document, config):
                selectors.append(selector)
                if not any(selector.matches(one) for one in labels):
                    message = f"selects no {ADVERTISEMENT} in the files: nothing is advertised"
                    yield _at(document, path, message)
        for document, advert in self._adverts if self._peers else ():
            if not any(selector.matches(dict(advert.labels)) for selector in selectors):
                message = f"no {PEER_CONFIG} in the files selects it: it has no effect"
                yield _at(document, "metadata.labels" if advert.labels else "metadata", message)

    def _idle_overrides(self) -> Iterator[Problem]:
        nodes = {node.name for node in self._nodes}
        peers: dict[str, set[str]] = {}
        for _, config in self._clusters:
            for instance in config.instances:
                peers.setdefault(instance.name, set()).update(peer.name for peer in instance.peers)
        for document, override in self._overrides:
            if nodes and override.name not in nodes:
                message = f"no Node {override.name} is in the files: an override is named like its node"
                yield _at(document, "metadata.name", message)
            if peers:
                yield from _unknown_names(document, override, peers)

    def _idle_notifications(self) -> Iterator[Problem]:
        """Nodes that ask for the N bit where no peer of the files has graceful restart."""
        times = [n.restart_time for _, p in self._policies for r in p.virtual_routers for n in r.neighbors]
        times += [config.restart_time for _, config in self._peers]
        if not times or any(times):
            return
        for node in self._nodes:
            if node_settings(annotations_of(node.value))[0].graceful_notification:
                yield _at(node, f"metadata.annotations[{GRACEFUL_NOTIFICATION}]", WITHOUT_RESTART)


def _unknown_names(
    document: LoadedDocument, override: NodeConfigOverride, peers: dict[str, set[str]]
) -> Iterator[Problem]:
    for i, instance in enumerate(override.instances):
        path = f"spec.bgpInstances[{i}]"
        if instance.name not in peers:
            message = f"no {CLUSTER_CONFIG} in the files has an instance of this name: it has no effect"
            yield _at(document, f"{path}.name", message)
            continue
        for p, peer in enumerate(instance.peers):
            if peer.name not in peers[instance.name]:
                message = f"no instance {instance.name} in the files has a peer of this name"
                yield _at(document, f"{path}.peers[{p}].name", f"{message}: it has no effect")


def _written_families(document: LoadedDocument, config: BGPPeerConfig) -> Iterator[tuple[str, LabelSelector]]:
    """The selectors of the families that are spoken, each with its path."""
    written = document.value["spec"].get("families") or ()
    left = list(config.families)
    for index, item in enumerate(written):
        if left and (item.get("afi"), item.get("safi")) == tuple(left[0].family):
            selector = left.pop(0).advertisements
            if selector is not None:
                yield f"spec.families[{index}].advertisements", selector


def _of(kind: type[T], valid: Sequence[Valid]) -> list[tuple[LoadedDocument, T]]:
    return [(document, value) for document, value in valid if isinstance(value, kind)]


def _at(document: LoadedDocument, path: str, message: str) -> Problem:
    return Problem(document.source, document.index, f"{document.prefix}{path}", message)


def _sure_overlaps(owners: Sequence[_Owner]) -> Iterator[tuple[int, int]]:
    """Pairs (first, second) by index: equal selectors, or one that selects every node."""
    seen: dict[LabelSelector, int] = {}
    for index, (_, owner) in enumerate(owners):
        selector = owner.node_selector or LabelSelector()
        first = seen.get(LabelSelector(), seen.get(selector, 0 if selector.empty else None))
        if first is not None and first != index:
            yield first, index
        seen.setdefault(selector, index)

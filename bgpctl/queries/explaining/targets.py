"""What `explain` is asked about, found in the cluster: the addresses, and the objects that matter to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.drain.pods import pod_view
from bgpctl.core.intent.endpoints import SERVICE_NAME_LABEL, Key
from bgpctl.core.intent.explaining.asked import FORMS, Asked, nearest
from bgpctl.core.intent.explaining.chain import Link, Status
from bgpctl.core.intent.explaining.proposals.case import items
from bgpctl.core.intent.explaining.repair import Ref
from bgpctl.core.intent.explaining.verdict import Target
from bgpctl.core.intent.podcidrs import pod_cidrs, pool_cidrs
from bgpctl.core.intent.services import Candidate, Service, host_prefix, read_service
from bgpctl.core.model import IPNetwork
from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.reading.documents import labels_of, name_of, namespace_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.runbooks import cluster

Document = dict[str, Any]

MOST = 20
"""Targets of one question; a prefix may hold thousands of addresses."""


Around = tuple[tuple[Document, ...], tuple[Document, ...]]
"""The Services and EndpointSlices that matter to a target."""


@dataclass(frozen=True)
class Question:
    """`targets` are looked at on `nodes` (None = all), in a cluster that has these `services` and `slices`.
    `owners`: the nodes of each target that is not of them all. `lead`: links that go before those of every
    target. `whole`: the node itself is asked about."""

    title: str
    targets: tuple[Target, ...] = ()
    nodes: tuple[str, ...] | None = None
    services: tuple[Document, ...] = ()
    slices: tuple[Document, ...] = ()
    lead: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    whole: bool = False
    owners: Mapping[Target, frozenset[str]] = field(default_factory=dict)

    def on(self, node: str | None) -> Sequence[Target | None]:
        """The targets to look at, on this node only where it is one: its own, where it has some."""
        own = [each for each in self.targets if node in self.owners.get(each, ())]
        return own or self.targets or (None,)

    def concerns(self, target: Target | None, node: str, only: str | None) -> bool:
        """Is it to be looked at there? A CIDR of another node's pods is not, unless that node is named."""
        return node == only or target is None or node in self.owners.get(target, (node,))

    @property
    def behind(self) -> tuple[str, ...]:
        """The objects that the targets are of, whichever nodes are looked at."""
        found = (
            [f"{target.origin} of {node}" for node in self.nodes or () if node in self.owners[target]]
            if target in self.owners
            else [target.origin]
            for target in self.targets
        )
        return tuple(dict.fromkeys(one for some in found for one in some))

    def around(self, target: Target | None) -> Around:
        """Every Service that is the target's or shares an address with it: what others have does not matter
        to its route, and is much where a prefix holds many."""
        if target is None:
            return self.services, self.slices
        read = [(raw, read_service(raw)) for raw in self.services]
        own = {text for _, each in read if _origin(each) == target.origin for text in _texts(each)}
        meant = [
            (raw, each)
            for raw, each in read
            if _origin(each) == target.origin or not own.isdisjoint(_texts(each))
        ]
        keys = {each.key for _, each in meant}
        slices = (each for each in self.slices if (namespace_of(each), _of(each)) in keys)
        return tuple(raw for raw, _ in meant), tuple(slices)


@dataclass
class Finder:
    """Looks for what was asked about. `known`: every Service, as it was read."""

    client: Client
    objects: cluster.Objects
    known: Sequence[Service]
    _raw: dict[Key, Document | None] = field(default_factory=dict)

    def question(self, asked: Asked) -> Question:
        """Raises UsageError for what does not exist, or is several things."""
        if asked.prefix is not None:
            return self._prefix(asked.prefix)
        found = {kind: there for kind in asked.kinds if (there := self._find(kind, asked)) is not None}
        if not found:
            raise self._missing(asked)
        if len(found) > 1:
            names = " and ".join(f"a {kind}" for kind in found)
            ways = " or ".join(f"{_SHORT[kind]}/{self._typed(kind, asked)}" for kind in found)
            raise UsageError(f"{asked.name!r} is {names}", f"write {ways}")
        ((kind, document),) = found.items()
        return _BY_KIND[kind](self, document, asked)

    def _find(self, kind: str, asked: Asked) -> Document | None:
        if kind == "Node":
            return next((node for node in self.objects.nodes if name_of(node) == asked.name), None)
        if kind == "Service":
            return self._service(asked.namespace, asked.name)
        return self.client.find(paths.pod(asked.namespace, asked.name))

    def _typed(self, kind: str, asked: Asked) -> str:
        return asked.name if kind == "Node" else f"{asked.namespace}/{asked.name}"

    def _missing(self, asked: Asked) -> UsageError:
        if asked.kinds == ("Node",):
            names = nearest(asked.name, map(name_of, self.objects.nodes))
            return UsageError(f"node {asked.name} does not exist", f"the nodes are: {names}")
        what = " or ".join(kind for kind in asked.kinds)
        own = [service.key[1] for service in self.known if service.key[0] == asked.namespace]
        there = f"the Services of namespace {asked.namespace} are: {nearest(asked.name, own)}"
        if not own:
            spaces = nearest(asked.namespace, (service.key[0] for service in self.known))
            there = f"no Service is in namespace {asked.namespace}; namespaces that have some: {spaces}"
        if asked.kinds == ("Pod",):
            there = f"see `kubectl get pods -n {asked.namespace}`"
        name = f"{asked.namespace}/{asked.name}" if "Node" not in asked.kinds else asked.name
        return UsageError(f"{what} {name} does not exist", f"{there}\n{FORMS}")

    def _service(self, namespace: str, name: str) -> Document | None:
        key = namespace, name
        if key not in self._raw:
            self._raw[key] = self.client.find(paths.service(namespace, name))
        return self._raw[key]

    # -- by kind

    def about_service(self, document: Document, asked: Asked) -> Question:
        """Every address of it that may be announced."""
        reading, key = read_service(document), (namespace_of(document), name_of(document))
        title = f"Service {key[0]}/{key[1]}"
        if reading.problem:
            link = Link("service", Status.BROKEN, f"unreadable: {reading.problem}", reason="unreadable")
            return Question(title, lead=(_with(link, Ref("Service", key[1], key[0])),))
        return self._of_services(title, [key])

    def about_node(self, document: Document, asked: Asked) -> Question:
        """The node itself."""
        return Question(f"Node {asked.name}", nodes=(asked.name,), whole=True)

    def about_pod(self, document: Document, asked: Asked) -> Question:
        """The Services that lead to it, on its node; of a pod that is in none, its PodCIDR."""
        title, ref = f"Pod {asked.namespace}/{asked.name}", Ref("Pod", asked.name, asked.namespace)
        try:
            view = pod_view(document)
        except Unreadable as error:
            said = Link("pod", Status.BROKEN, f"unreadable: {error.message}", reason="unreadable")
            return Question(title, lead=(_with(said, ref),))
        status = Status.OK if view.ready and view.node else Status.BROKEN
        where = f"on {view.node}" if view.node else "on no node yet"
        says = f"{title} is {where}, {'ready' if view.ready else f'not ready ({view.phase})'}"
        lead = (_with(Link("pod", status, says, reason="" if status is Status.OK else "podNotReady"), ref),)
        nodes = (view.node,) if view.node else ()
        addresses = _addresses(document)
        keys = self._serving(asked, addresses)
        if keys:
            found = self._of_services(title, keys)
            return Question(title, found.targets, nodes, found.services, found.slices, lead, found.notes)
        own = [one for one in self._cidrs() if any(_inside(a, one[1].prefix) for a in addresses)]
        targets = tuple(dict.fromkeys(_target(candidate) for _, candidate in own))
        explained = ": what is explained is the CIDR that its address is of" if targets else ""
        note = f"no Service leads to it{explained}"
        return Question(title, targets, nodes, lead=lead, notes=(note,))

    def _serving(self, asked: Asked, addresses: Sequence[IPNetwork]) -> list[Key]:
        """The Services that have the pod among their endpoints."""
        texts = {str(address.network_address) for address in addresses}
        found: dict[Key, None] = {}
        for each in self.client.items(paths.slices(asked.namespace), **paths.BALANCED_SLICES):
            service = labels_of(each).get(SERVICE_NAME_LABEL)
            if service and any(_is(one, asked.name, texts) for one in items(each, "endpoints")):
                found[asked.namespace, service] = None
        return list(found)

    def _prefix(self, prefix: IPNetwork) -> Question:
        """The objects that are behind it: it is theirs, holds theirs, or is held by theirs."""
        title = f"prefix {prefix}"
        keys = [service.key for service in self.known if _within(service, prefix)]
        if keys:
            found = self._of_services(title, keys, prefix)
            if found.targets:
                return found
        cidrs = [(n, c) for n, c in self._cidrs() if _related(c.prefix, prefix)]
        if not cidrs:
            says = f"no Service, no pod CIDR and no pool of the cluster has {prefix}, or an address of it"
            return Question(title, lead=(Link("object", Status.BROKEN, says, reason="noObject"),))
        nodes = tuple(dict.fromkeys(node for node, _ in cidrs))
        owners: dict[Target, set[str]] = {}
        for node, candidate in cidrs:
            owners.setdefault(_target(candidate), set()).add(node)
        targets = tuple(owners)[:MOST]
        return Question(
            title,
            targets,
            nodes,
            notes=tuple(_held(targets, prefix)),
            owners={target: frozenset(owners[target]) for target in targets},
        )

    # -- what matters to it

    def _of_services(self, title: str, keys: Sequence[Key], prefix: IPNetwork | None = None) -> Question:
        """With every Service that shares an address with one of them: a route stands for all its owners."""
        own = [read_service(raw) for key in keys[:MOST] if (raw := self._service(*key)) is not None]
        texts = {text for service in own for text in _texts(service)}
        sharers = [service.key for service in self.known if not texts.isdisjoint(_texts(service))]
        around = dict.fromkeys([*keys[:MOST], *sharers])
        raws = tuple(raw for key in list(around)[: 2 * MOST] if (raw := self._service(*key)) is not None)
        slices = tuple(each for raw in raws for each in self._slices(raw))
        targets = tuple(target for service in own for target in _targets(service, prefix))
        left = len(keys) - len(own)
        notes = (f"and {left} more Services, each of which can be asked about",) if left > 0 else ()
        return Question(title, targets, None, raws, slices, notes=notes)

    def _slices(self, service: Document) -> Iterable[Document]:
        label = f"{SERVICE_NAME_LABEL}={name_of(service)}"
        return self.client.items(paths.slices(namespace_of(service)), labelSelector=label)

    def _cidrs(self) -> Iterator[tuple[str, Any]]:
        """Every CIDR of every node's pods, as the intent finds them."""
        fleet = self.objects.outlook.fleet
        cilium_nodes: Mapping[str, Any] = fleet.cilium_nodes if fleet else {}
        pools = fleet.objects.pod_pools if fleet else ()
        for node in self.objects.nodes:
            own = cilium_nodes.get(name_of(node))
            for candidate in (*pod_cidrs(node, own, []), *pool_cidrs(own, pools, (), [])):
                if candidate.prefix is not None:
                    yield name_of(node), candidate


_SHORT = {"Service": "svc", "Pod": "pod", "Node": "node"}
_BY_KIND = {"Service": Finder.about_service, "Pod": Finder.about_pod, "Node": Finder.about_node}


def _with(link: Link, ref: Ref) -> Link:
    return Link(link.name, link.status, link.says, command=ref.command(), reason=link.reason)


def _target(candidate: Candidate) -> Target:
    return Target(candidate.origin, candidate.prefix, candidate.source)


def _targets(service: Service, prefix: IPNetwork | None) -> Iterator[Target]:
    """Its addresses, those in `prefix` only where one is given. ClusterIPs count where no other is there, and
    where one is asked for: every Service has some, and few are advertised."""
    origin = _origin(service)
    outer = [host for kind, host in _hosts(service) if kind is not AddressType.CLUSTER]
    inner = [host for kind, host in _hosts(service) if kind is AddressType.CLUSTER]
    if prefix is not None:
        hosts = dict.fromkeys(host for host in (*outer, *inner) if _inside(host, prefix))
        yield from (Target(origin, host) for host in hosts)
        return
    yield from (Target(origin, host) for host in dict.fromkeys(outer))
    if service.pending or not outer:
        yield Target(origin, None)


def _origin(service: Service) -> str:
    """As routes and absences call it."""
    return f"Service {service.key[0]}/{service.key[1]}"


def _texts(service: Service) -> Iterator[str]:
    """Its addresses, as they are written."""
    return (text for _, listed in service.texts for text in listed)


def _of(endpoint_slice: Document) -> str | None:
    return labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)


def _hosts(service: Service) -> Iterator[tuple[AddressType, IPNetwork]]:
    for kind, texts in service.texts:
        for text in texts:
            try:
                yield kind, host_prefix(text)
            except ValueError:
                continue


def _within(service: Service, prefix: IPNetwork) -> bool:
    return any(_inside(host, prefix) for _, host in _hosts(service))


def _inside(host: IPNetwork, prefix: IPNetwork) -> bool:
    return host.prefixlen >= prefix.prefixlen and _related(host, prefix)


def _related(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def _held(targets: Iterable[Target], prefix: IPNetwork) -> Iterator[str]:
    for target in targets:
        if target.prefix is not None and target.prefix.prefixlen < prefix.prefixlen:
            yield f"{prefix} is in {target.prefix}, which is what is announced"


def _addresses(pod: Document) -> list[Any]:
    status = pod.get("status")
    listed = status.get("podIPs") if isinstance(status, dict) else None
    texts = [entry.get("ip") for entry in listed or () if isinstance(entry, dict)]
    if isinstance(status, dict):
        texts.append(status.get("podIP"))
    found = []
    for text in dict.fromkeys(t for t in texts if isinstance(t, str)):
        try:
            found.append(host_prefix(text))
        except ValueError:
            continue
    return found


def _is(endpoint: Any, pod: str, addresses: set[str]) -> bool:
    """Is it the pod's? By its name, else by its address."""
    if not isinstance(endpoint, dict):
        return False
    target = endpoint.get("targetRef")
    if isinstance(target, dict) and target.get("kind") == "Pod":
        return target.get("name") == pod
    listed = endpoint.get("addresses")
    return isinstance(listed, list) and not addresses.isdisjoint(a for a in listed if isinstance(a, str))

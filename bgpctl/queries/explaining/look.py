"""One look at the cluster for `explain`: every path from what was asked about to the routers.

What the cluster's objects decide is the intent function's own word (`core.intent.explaining.search`), about a
cluster that is cut down to what matters to the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bgpctl import providers
from bgpctl.core.intent.compile import ClusterObjects, Context
from bgpctl.core.intent.explaining.asked import Asked, nearest
from bgpctl.core.intent.explaining.chain import Group, Link, Path, Standing, Status, grouped
from bgpctl.core.intent.explaining.links import object_links, value_links
from bgpctl.core.intent.explaining.reported import WITHDRAWN, reported_links
from bgpctl.core.intent.explaining.search import Asker, search
from bgpctl.core.intent.explaining.values import NODE, PEER, POLICY
from bgpctl.core.intent.explaining.verdict import ANY_PEER, Target, without_session
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.intent.podcidrs import pod_cidrs
from bgpctl.core.intent.services import read_service
from bgpctl.core.intent.sessions import internal_ips
from bgpctl.core.model import Intent, Route, Session
from bgpctl.core.policy.nodeconfig import Source
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.documents import annotations_of, name_of
from bgpctl.core.state import NodeState
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.queries.explaining.routers import Witnesses
from bgpctl.queries.explaining.targets import Around, Finder, Question
from bgpctl.runbooks import cluster
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.witness.probe import Probe

UNTOLD = (
    "what this node's stack makes of it cannot be told from outside: known are its sessions, and what the "
    "routers say that can be asked (--router-probe)"
)
NOTHING = Target("PodCIDR", None, Source.POD_CIDR)
"""Of a node that has no pod CIDR."""


@dataclass(frozen=True)
class Explanation:
    """What was asked about, its paths, alike ones together, and sentences about what is not among them.
    `objects`: those that a prefix is behind of."""

    title: str
    groups: tuple[Group, ...]
    behind: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every one."""
        return tuple(path for group in self.groups for path in group.paths)

    @property
    def green(self) -> bool:
        """Is each address announced on one of its paths at least?"""
        best: dict[object, bool] = {}
        for path in self.paths:
            key = path.prefix or path.origin
            best[key] = best.get(key, False) or path.standing is Standing.ANNOUNCED
        return bool(best) and all(best.values())


def explain(
    client: Client,
    provider: Provider | None,
    asked: Asked,
    node: str | None = None,
    peer: str | None = None,
    probes: Sequence[Probe] = (),
) -> Explanation:
    """`node` and `peer` (its address, or its name) narrow the paths. Raises UsageError for what does not
    exist."""
    objects = cluster.read(client, provider or providers.of(client))
    names = [name_of(one) for one in objects.nodes]
    if node is not None and node not in names:
        raise UsageError(f"--from: node {node} does not exist", f"the nodes are: {nearest(node, names)}")
    fleet = objects.outlook.fleet
    known = fleet.services if fleet else client.read_list(paths.SERVICES, {}, read_service)[0]
    question = Finder(client, objects, known).question(asked)
    look = _Paths(objects, question, client.present(), Witnesses(probes, client.present), peer)
    found = tuple(look.paths(node))
    if peer is not None and not look.met:
        known_peers = ", ".join(sorted(look.peers)) or "none"
        raise UsageError(
            f"--to: no node that was looked at has a peer {peer}", f"the peers are: {known_peers}"
        )
    behind = question.behind if asked.prefix else ()
    return Explanation(question.title, grouped(found), behind, question.notes)


class _Paths:
    """The paths of one question. `peers`: the addresses of all that were met, `met`: the wanted is among
    them."""

    def __init__(
        self,
        objects: cluster.Objects,
        question: Question,
        now: float,
        routers: Witnesses,
        peer: str | None,
    ) -> None:
        self._objects, self._question, self._now = objects, question, now
        self._routers, self._peer = routers, peer and _spelled(peer)
        self._known: dict[Target | None, Around] = {}
        self.peers: set[str] = set()
        self.met = peer is None

    def paths(self, only: str | None) -> Iterator[Path]:
        """On the one node, or on all that matter."""
        question = self._question
        nodes = [n for n in self._objects.nodes if self._matters(name_of(n), only)]
        if not nodes or not (question.targets or question.whole):
            self.met = True
            yield Path("", "", question.title, None, question.lead)
            return
        for target in question.on(only):
            for node in nodes:
                if question.concerns(target, name_of(node), only):
                    yield from self._of_node(node, target)

    def _matters(self, name: str, only: str | None) -> bool:
        wanted = (only,) if only is not None else self._question.nodes
        return wanted is None or name in wanted

    def _of_node(self, node: Mapping[str, Any], target: Target | None) -> Iterator[Path]:
        name = name_of(node)
        state = self._objects.states.get(name)
        if self._objects.outlook.fleet is None:
            yield from self._untold(node, state, target)
            return
        objects = self._cluster(node, target)
        asker = Asker(name, Context(opened=self._objects.opened(name)))
        intent = asker.intent(objects)
        peers = {peer.name: str(peer.address) for peer in intent.peers}
        self.peers.update(peers.values())
        peers |= dict.fromkeys(without_session(intent), "")
        for peer, address in (peers or {ANY_PEER: ""}).items():
            if not self._wanted(peer, address):
                continue
            if target is None:
                yield self._whole(asker, objects, state, peer, address)
                continue
            found = search(asker, objects, target, peer)
            links = object_links(asker, objects, target, peer, found)
            route = found.verdict.route
            told = self._reported(intent, state, peer, address, route, node, target)
            out = _drained(node, route, told)
            chain = (*self._question.lead, *out, *links, *_left_out(intent), *told)
            yield Path(name, address or peer, target.origin, target.prefix, chain)

    def _around(self, target: Target | None) -> Around:
        """Found once per target: the nodes are many."""
        if target not in self._known:
            self._known[target] = self._question.around(target)
        return self._known[target]

    def _wanted(self, name: str, address: str) -> bool:
        met = self._peer in (None, name, address)
        self.met = self.met or met
        return met or not name

    def _cluster(self, node: Mapping[str, Any], target: Target | None) -> ClusterObjects:
        """As this node sees it, with what matters to the target."""
        fleet = self._objects.outlook.fleet
        assert fleet is not None, "asked only where there is one"
        services, slices = self._around(target)
        return replace(
            fleet.objects,
            node=node,
            services=services,
            endpoint_slices=slices,
            cilium_node=fleet.cilium_nodes.get(name_of(node)),
        )

    def _reported(
        self,
        intent: Intent,
        state: NodeState | None,
        peer: str,
        address: str,
        route: Route | None,
        node: Mapping[str, Any],
        target: Target | None,
    ) -> tuple[Link, ...]:
        found = reported_links(intent, state, self._now, peer, address, route) if address or not peer else ()
        prefix = route.prefix if route else target.prefix if target else None
        own = [str(one) for one in internal_ips(node)]
        said = self._routers.link(intent.node, own, state, address, prefix)
        if said is None:
            return found
        if self._objects.outlook.fleet is None or route is not None:
            return (*found, said)
        if said.status is Status.BROKEN:  # as it must be
            said = replace(said, status=Status.UNTOLD, says="it has no such route from this node", reason="")
        elif said.status is Status.OK:
            said = replace(said, status=Status.UNTOLD, says=f"{said.says}, though it should not be announced")
        return (*found, said)

    # -- the node itself

    def _whole(
        self, asker: Asker, objects: ClusterObjects, state: NodeState | None, peer: str, address: str
    ) -> Path:
        """What holds for all that a node may announce to a peer, and how much that is."""
        full = self._objects.compiled(objects.node or {})  # type: ignore[arg-type]
        sessions: dict[str, Session] = {one.name: one.session for one in state.peers} if state else {}
        table = carried(full, sessions).routes.get(peer, {})
        route = next(iter(table.values()), None)
        own = pod_cidrs(objects.node or {}, objects.cilium_node, [])
        target = next((Target(one.origin, one.prefix, one.source) for one in own), NOTHING)
        found = search(asker, objects, target, peer)
        links = object_links(asker, objects, target, peer, found)
        links = tuple(link for link in links if link.name in (NODE, POLICY, PEER))
        counted = _counted(full, peer, len(table))
        told = self._reported(full, state, peer, address, route, objects.node or {}, None)
        origin = self._question.title
        out = _drained(objects.node or {}, route, told)
        return Path(asker.node, address or peer, origin, None, (*out, *links, *told, *counted))

    # -- other stacks

    def _untold(
        self, node: Mapping[str, Any], state: NodeState | None, target: Target | None
    ) -> Iterator[Path]:
        """Where what a node should announce cannot be told from outside: its sessions, the routers' word."""
        name = name_of(node)
        intent, links = Intent(name), tuple[Link, ...]()
        if target is not None:
            services, slices = self._around(target)
            objects = ClusterObjects(node=node, services=services, endpoint_slices=slices)
            links = value_links(objects, name, target)
        lead = (*self._question.lead, *links, Link("intent", Status.UNKNOWN, UNTOLD))
        peers = {one.name: one.address for one in state.peers} if state and state.peers else {ANY_PEER: ""}
        self.peers.update(filter(None, peers.values()))
        for peer, address in peers.items():
            if self._wanted(peer, address):
                told = self._reported(intent, state, peer, address, None, node, target)
                origin, prefix = (target.origin, target.prefix) if target else (self._question.title, None)
                yield Path(name, address, origin, prefix, (*lead, *told))


def _left_out(intent: Intent) -> Iterator[Link]:
    """Objects that matter to the target and cannot be read: each costs itself."""
    for problem in intent.problems:
        if " was left out" in problem or " is invalid" in problem:
            yield Link("unreadable", Status.UNTOLD, problem)


def _drained(node: Mapping[str, Any], route: Route | None, told: Sequence[Link]) -> tuple[Link, ...]:
    """Of a node that a run took out: what it changed is not to be mended one by one."""
    out = route is None or any(link.name == WITHDRAWN for link in told)
    if not out or ANNOTATION not in annotations_of(node):
        return ()
    says = "bgpctl has taken this node out of service; a restore undoes all that it changed"
    command = f"bgpctl node status {name_of(node)}"
    return (Link("drain", Status.BROKEN, says, command=command, reason="drained"),)


def _counted(intent: Intent, peer: str, routes: int) -> Iterator[Link]:
    reasons: dict[str, int] = {}
    for absent in intent.absent:
        if absent.peer in ("", peer):
            reasons[absent.reason] = reasons.get(absent.reason, 0) + 1
    rest = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    says = f"{routes} should be announced" + (f"; not announced: {rest}" if rest else "")
    command = f"bgpctl routes {intent.node} --absent"
    status, reason = (Status.OK, "") if routes else (Status.BROKEN, "nothingToAnnounce")
    yield Link("routes", status, says, command=command, reason=reason)


def _spelled(peer: str) -> str:
    try:
        return str(parse_zoned(peer))
    except ValueError:
        return peer

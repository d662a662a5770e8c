"""Calico: read from its BGPPeers and CalicoNodeStatuses, made to withdraw by a BGPFilter where each BGPPeer
of a node is its own (`bgpctl calico prepare`), by the exclude label where it announces nothing but Services.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core.calico import leave
from bgpctl.core.calico.config import Host, Peering
from bgpctl.core.calico.states import DRAINED_BY_ENTERPRISE, Hosts, World, node_state
from bgpctl.core.drain.deselection import changed, parse_label_change
from bgpctl.core.drain.lever import EXCLUDE, Effect, Lever, Patch, shown
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.withdrawal import Close
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client
from bgpctl.ports import NOTHING_KNOWN, Outlook
from bgpctl.providers.calico_bird import Birds
from bgpctl.providers.calico_objects import Objects

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

Document = Mapping[str, Any]

UNSERVED = "the cluster serves no BGPPeer of Calico: what its nodes announce is not known"
WAY, BY_FILTER, BY_EXCLUSION, BY_LABEL = "way", "filter", "exclude", "label"  # in the journal
PEERS = "peers"

UNTRIED = "BIRD 2 takes such a filter in with its sessions up; on Calico's own BIRD nobody tried it"
MESH = (
    "the sessions between the nodes stay: routers that hear of its pods from other nodes still reach them "
    "through those"
)
STAYS = "what else Calico was told to announce from it, by filters or workloads of its own, is not withdrawn"
CLOSES = "BIRD closes the sessions with Cease, and withdraws nothing before"
BY_HAND = f"it has the label {EXCLUDE}=true already, by somebody else's hand: take that away, and drain again"
OLD = "the cluster serves no BGPFilter: Calico has it from 3.25 on"
FORBIDDEN = "to put the BGPFilter into its BGPPeers, the right to patch bgppeers is missing"


class Calico:
    """As `bgpctl.ports.Provider`."""

    name = "calico"

    def __init__(self, client: Client) -> None:
        self._client = client
        self.objects = Objects(client)
        self._may_patch: bool | None = None
        self._birds = Birds(client)

    # -- reading

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        """Of the nodes that something gives a session beyond the mesh."""
        if not self.objects.base:
            return None
        nodes = self.objects.nodes(names)
        world = self.objects.world(Hosts(one for one in nodes if isinstance(one, Host)), few=bool(names))
        told, troubles = self.objects.statuses(names)
        peerings = world.by_node()
        if names and any(peering.remotes for each in peerings.values() for peering in each):
            world = replace(world, hosts=self.objects.hosts())
        return tuple(
            node_state(one, world, peerings[one.name], told.get(one.name), troubles.get(one.name, ""))
            if isinstance(one, Host)
            else one
            for one in nodes
            if not isinstance(one, Host) or peerings[one.name] or world.unread_for(one)
        )

    def state(self, node: str) -> NodeState | None:
        document = self._client.find(paths.node(node)) if self.objects.base else None
        if document is None:
            return None
        host = self.objects.host(document)
        world = self.objects.world(Hosts((host,)), few=True)
        mine = world.of(host)
        if any(peering.remotes for peering in mine):
            world = replace(world, hosts=self.objects.hosts())
        status, trouble = self.objects.status(node) if mine else (None, "")
        state = node_state(host, world, mine, status, trouble)
        if not mine:
            versions = [version for version in (4, 6) if host.address(version)]
            by = self._birds.without_session(node, versions)
            return replace(state, engine_asked=by, lag=0.0) if by else state
        if not state.told_out:
            return state
        version = " ".join(peering.version for peering in mine)
        told, by = self._birds.told(node, version, [peer.address for peer in state.peers])
        return node_state(host, world, mine, status, trouble, told, by)

    def outlook(self) -> Outlook:
        told = self.states()
        missing = "" if told is not None else UNSERVED
        return Outlook({state.node: state for state in told or ()}, missing=missing)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        from bgpctl.core.timing.facts import facts_from_state

        if not self.objects.base:
            return ()
        host = self.objects.host(node)
        world = self.objects.world(self.objects.hosts())
        return tuple(map(facts_from_state, node_state(host, world, world.of(host), None).peers))

    # -- the lever

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        if not self.objects.base:
            return Lever()
        host = self.objects.host(node)
        world = self.objects.world(Hosts((host,)), few=True)
        mine, way = world.of(host), prior.get(WAY)
        lever = Lever(keys=world.keys | {EXCLUDE}, back=self._back(host, mine, prior))
        if unread := world.unread_for(host):
            names = tuple(f"BGPPeer {one.name}" for one in unread)
            return replace(lever, policies=names, refusal="; ".join(map(str, unread)))
        if override is not None or way == BY_LABEL:
            return _closing(lever, host, world, mine, override)
        if way == BY_EXCLUSION:
            return _excluding(replace(lever, policies=() if host.excluded else _names(mine)))
        return self._withdrawing(lever, host, world, mine, begun=way == BY_FILTER)

    def _withdrawing(
        self, lever: Lever, host: Host, world: World, mine: Sequence[Peering], *, begun: bool
    ) -> Lever:
        loud = [peering for peering in mine if not (world.rejects and leave.silenced(peering))]
        found = replace(lever, policies=_names(loud), note="; ".join(_notes(host, world)))
        troubles = tuple(self._troubles(host, world, loud))
        services_only = not world.pods and not host.excluded
        if loud and troubles and services_only and not begun:
            return _excluding(found)
        if loud and troubles:
            pods = f"{EXCLUDE} would not do: pods' addresses are announced too ({_few(world.pods)})"
            why = (*troubles, pods if world.pods else BY_HAND)
            return replace(found, refusal="; ".join(why), effect=Effect.NOTHING, close=Close.SILENT)
        untouched = (peering for peering in loud if not leave.silenced(peering))
        return replace(
            found,
            patches=tuple(leave.withdraw(self._path(peering), peering) for peering in untouched),
            prior={WAY: BY_FILTER, PEERS: [peering.name for peering in mine]} if mine else {},
            objects=tuple(map(self._path, mine)),
        )

    def _troubles(self, host: Host, world: World, loud: Sequence[Peering]) -> Iterator[str]:
        """Why the filter cannot withdraw what these BGPPeers announce."""
        yield from filter(None, (self._shared(host, peering) for peering in loud))
        if not world.rejects:
            yield self._unprepared()
        elif not self._allowed():
            yield FORBIDDEN

    def _shared(self, host: Host, peering: Peering) -> str:
        """Who else would withdraw by a filter on it, in a sentence; "" = nobody."""
        if peering.reverse:
            return (
                f"BGPPeer {peering.name} connects nodes with each other (peerSelector), and a filter on it "
                "would be in force at both ends"
            )
        others = () if peering.node else self.objects.sharing(peering)
        if not (names := [one.name for one in others if one.name != host.name]):
            return ""
        return (
            f"BGPPeer {peering.name} is shared with {_few(names)} ({peering.chosen}), which would withdraw "
            f"too: give {host.name} one of its own (spec.node: {host.name}), which resets the session once"
        )

    def _unprepared(self) -> str:
        document = self.objects.filter()
        if document is None:
            known = self.objects.knows_filters()
            return f"there is no BGPFilter {leave.FILTER} yet: {leave.PREPARE} makes it" if known else OLD
        if leave.is_ours(document):
            return f"BGPFilter {leave.FILTER} does not reject everything: {leave.PREPARE} mends it"
        return f"BGPFilter {leave.FILTER} is somebody else's, and does not reject everything: rename it"

    def _back(self, host: Host, mine: Sequence[Peering], prior: Document) -> tuple[Patch, ...]:
        """The filter is taken away where it was put for this node. Where others came to share the BGPPeer, it
        was put for one of them unless the journal says otherwise."""
        named = _named(prior)
        filtered = [peering for peering in mine if leave.FILTER in (peering.filters or ())]
        ours = [one for one in filtered if one.name in named or not self._shared(host, one)]
        return tuple(leave.back(self._path(peering), peering) for peering in ours)

    def _path(self, peering: Peering) -> str:
        return self.objects.path("bgppeers", peering.name)

    def _allowed(self) -> bool:
        if self._may_patch is None:
            self._may_patch = rights.may(self._client, "patch", self.objects.group, "bgppeers")
        return self._may_patch


def _closing(lever: Lever, host: Host, world: World, mine: Sequence[Peering], override: str | None) -> Lever:
    """By a label that the BGPPeers select by: calico-node takes the sessions away."""
    found = replace(lever, effect=Effect.CLOSES, close=Close.CEASE, prior={WAY: BY_LABEL}, note=CLOSES)
    if override is None or not mine:
        return replace(found, policies=_names(mine))
    change = parse_label_change(override)
    if left := world.of(replace(host, labels=changed(host.labels, change))):
        names = "; ".join(f"{peering.name} by {peering.chosen}" for peering in left)
        text = f"after the change ({shown(change)}) the node would still have BGPPeer {names}"
        return replace(found, policies=_names(left), refusal=text)
    return replace(found, policies=_names(mine), label=change)


def _excluding(lever: Lever) -> Lever:
    """By Kubernetes' own label, which withdraws Services: all there is where no IPPool is announced."""
    found = replace(lever, prior={WAY: BY_EXCLUSION}, note=STAYS)
    return replace(found, label=(EXCLUDE, "true")) if lever.policies else found


def _notes(host: Host, world: World) -> Iterator[str]:
    yield UNTRIED
    if world.defaults.mesh:
        yield MESH
    if host.maintained:
        yield DRAINED_BY_ENTERPRISE


def _names(peerings: Sequence[Peering]) -> tuple[str, ...]:
    return tuple(f"BGPPeer {peering.name}" for peering in peerings)


def _few(names: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"


def _named(prior: Document) -> tuple[str, ...]:
    try:
        return Foreign.of(prior).texts(PEERS, 1000)
    except Unreadable:
        return ()

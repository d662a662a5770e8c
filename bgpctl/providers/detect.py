"""Which stack speaks BGP in a cluster, and on each node of it.

The groups that the API server serves tell in one small request who can be meant at all; then the objects that
each of those keeps of its nodes tell who is. A cluster that moves from one to another has both, each node one
of them; a node with both is whose label says, or nobody's to guess about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bgpctl import providers
from bgpctl.core import handover
from bgpctl.core.drain.guards import OtherStack
from bgpctl.core.handover import Look, Neighbour
from bgpctl.core.policy.peering import KIND as PEERING
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.state import NodeState
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import serves
from bgpctl.ports import NOTHING_KNOWN, Outlook, Provider
from bgpctl.providers import cilium_v1_beside, frr_k8s_stack
from bgpctl.providers.bgpctl_stack import alive, announcing
from bgpctl.providers.cilium import Cilium
from bgpctl.providers.frr_k8s import FrrK8s
from bgpctl.providers.kube_router import KubeRouter
from bgpctl.providers.metallb import MetalLB

if TYPE_CHECKING:
    from bgpctl.core.drain.lever import Lever
    from bgpctl.core.timing.facts import PeerFacts


@dataclass(frozen=True, slots=True)
class Found:
    """`stacks`: who speaks BGP in a cluster, one name or more, bgpctl's own speaker first. `alone`:
    nobody but it can be meant, not before either."""

    stacks: tuple[str, ...]
    alone: bool = False


def look(client: Client) -> Found:
    """Who speaks BGP in this cluster."""
    served = _groups(client)
    others = (name for name in providers.TABLE if name != providers.DEFAULT and _may_be(name, served))
    told = {name: providers.stack_of(name).speaks(client) for name in others}
    if all(answer is None for answer in told.values()):
        return _without_another(client, served)
    ours = (providers.DEFAULT,) if providers.stack_of(providers.DEFAULT).speaks(client) else ()
    speaking = tuple(name for name, answer in told.items() if answer)
    if ours or speaking:
        return Found(ours + speaking)
    known = (name for name, answer in told.items() if answer is not None)
    could = tuple(name for name in known if providers.stack_of(name).may_speak(client))
    return Found(could or (providers.DEFAULT,))


def _without_another(client: Client, served: frozenset[str] | None) -> Found:
    """No other stack with resources of its own is there. Where ours is not installed either, one without may
    be."""
    if served is None or providers.TABLE[providers.DEFAULT].groups & served:
        return Found((providers.DEFAULT,), alone=True)
    bare = (name for name, row in providers.TABLE.items() if not row.groups)
    hidden = tuple(name for name in bare if providers.stack_of(name).speaks(client))
    return Found(hidden or (providers.DEFAULT,), alone=not hidden)


def _may_be(name: str, served: frozenset[str] | None) -> bool:
    groups = providers.TABLE[name].groups
    return bool(groups if served is None else groups & served)


def _groups(client: Client) -> frozenset[str] | None:
    """The API groups that are served; None = that is not told."""
    try:
        listed = client.get("/apis").get("groups")
    except NotFound:
        return None
    except ApiError as error:
        if error.code != 403:
            raise
        return None
    rows = listed if isinstance(listed, list) else []
    names = (row.get("name") for row in rows if isinstance(row, dict))
    return frozenset(name for name in names if isinstance(name, str)) or None


def of_cluster(client: Client) -> Provider:
    """Of all nodes."""
    found = look(client).stacks
    return providers.named(client, found[0]) if len(found) == 1 else Several(client, found)


def of_node(client: Client, node: str, found: Found) -> Provider:
    """Of one node of a cluster. Raises Blocked where two are at work on it."""
    one = len(found.stacks) == 1
    return providers.named(client, found.stacks[0]) if one else Several(client, found.stacks).of(node)


def among(client: Client, name: str) -> Provider:
    """The provider of that name, for a run that is about a node of it. Of the other nodes it tells what is so
    whoever has them: they announce, are out, or are all that is left."""
    found = look(client).stacks
    if len({*found, name}) < 2:
        return providers.named(client, name)
    return Chosen(client, dict.fromkeys((*found, name)), name)


def beside(client: Client, node: str) -> Look:
    """Which stacks but our own speaker have a node. Raises BgpctlError where that cannot be seen."""
    served = _groups(client)
    here, elsewhere = [], False
    for name, row in providers.TABLE.items():
        if name == providers.DEFAULT or (row.groups and not _may_be(name, served)):
            continue
        stack = providers.stack_of(name)
        if stack.on(client, node):
            state = stack.provider(client).state(node)
            here.append(Neighbour(name, stack.TITLE, stack.SIGN, state is not None and _closed(state)))
        elsewhere = elsewhere or bool(row.groups and stack.speaks(client))
    if not here and _may_be(Cilium.name, served) and (older := cilium_v1_beside.neighbour(client, node)):
        here.append(older)
    return Look(tuple(here), elsewhere)


def others(client: Client, node: str, than: str) -> Iterator[OtherStack]:
    """The stacks that may announce for a node beside `than`, the one that a run is about. One that was made
    to leave, and has no session, is none."""
    served = _groups(client)
    for name, row in providers.TABLE.items():
        if name == than or (row.groups and not _may_be(name, served)):
            continue
        title = providers.stack_of(name).TITLE
        try:
            if sign := _sign(client, name, node, than):
                yield OtherStack(title, sign)
        except Blocked as error:
            yield OtherStack(title, unseen=error.message)
        except ApiError as error:
            if error.code != 403:
                raise
            if _is_served(client, error, row.groups):
                yield OtherStack(title, unseen=error.message)


def _is_served(client: Client, refused: ApiError, groups: Collection[str]) -> bool:
    """Is there what we may not see? A stack may have several groups, of which one is served."""
    details = refused.status.get("details")
    group, plural = (details.get("group"), details.get("kind")) if isinstance(details, dict) else ("", "")
    if not (isinstance(group, str) and isinstance(plural, str) and group and plural):
        return True
    return any(serves(client, one, plural) for one in {group, *groups})


def _sign(client: Client, name: str, node: str, than: str) -> str:
    """By what a stack is seen to announce for a node, "" = it does not."""
    stack = providers.stack_of(name)
    if name == providers.DEFAULT:
        return announcing(stack.provider(client).state(node), client.present())
    if name == KubeRouter.name:
        client.get(paths.DAEMONSETS, limit="1")  # which its own look passes over where they are forbidden
    if not _has(client, name, node, than):
        older = cilium_v1_beside.neighbour(client, node) if name == Cilium.name else None
        return older.sign if older else ""
    state = stack.provider(client).state(node)
    if state is not None and _closed(state):
        return ""
    by_policy = state is not None and state.selected_by_kind == PEERING and not stack.on(client, node)
    return f"which {PEERING} {state.selected_by} selects" if by_policy and state else stack.SIGN


def _has(client: Client, name: str, node: str, than: str) -> bool:
    if name == FrrK8s.name:
        # Beneath MetalLB are its own daemons; what others write for them is not MetalLB's.
        return frr_k8s_stack.speaks_on(client, node, without_metallb=than == MetalLB.name)
    if name == Cilium.name and than != providers.DEFAULT and not providers.stack_of(name).on(client, node):
        # By an older policy. Our own speaker runs by that kind too, where there may be no Cilium at all.
        there = client.find(f"{paths.CILIUM_NODES}/{paths.named(node)}")
        state = Cilium(client).state(node) if there else None
        return bool(state and state.peers)
    return providers.stack_of(name).on(client, node)


def handed_to(node: Mapping[str, Any] | None) -> str:
    """The provider that has a Node by its label, "" = it does not say, or one that is none."""
    name = handover.handed_to(labels_of(node or {}))
    return name if name in providers.TABLE else ""


def _closed(state: NodeState) -> bool:
    """Was it made to leave, and has no session any more? Then another stack may have the node."""
    return state.told_out and not state.peers


class Several:
    """As `bgpctl.ports.Provider`, of a cluster in which not every node has the same stack."""

    name: str

    def __init__(self, client: Client, stacks: Iterable[str]) -> None:
        self._client = client
        self._stacks = {name: providers.named(client, name) for name in stacks}
        self.name = " and ".join(self._stacks)

    def of(self, node: str) -> Provider:
        """Raises Blocked where two are at work, and no label says whose it is."""
        if name := handed_to(self._client.find(paths.node(node))):
            return providers.named(self._client, name)
        here = [name for name in self._stacks if name != providers.DEFAULT and self._on(name, node)]
        if providers.DEFAULT in self._stacks and (not here or self._on(providers.DEFAULT, node)):
            here.insert(0, providers.DEFAULT)
        if len(here) < 2:
            return self._stacks[here[0] if here else next(iter(self._stacks))]
        seen = ", and ".join(f"{one.TITLE}, {one.SIGN}" for one in map(providers.stack_of, here))
        flags = " or ".join(f"--provider {name}" for name in here)
        raise Blocked(
            f"two stacks speak BGP on {node}: {seen}",
            f"end one of them there, or say whom it is about: {flags}\n"
            f"to say so for good: kubectl label node {node} {handover.LABEL}={here[-1]}",
        )

    def _on(self, name: str, node: str) -> bool:
        return providers.stack_of(name).on(self._client, node)

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        return tuple(self._merged({name: one.states(names) or () for name, one in self._stacks.items()}))

    def state(self, node: str) -> NodeState | None:
        return self.of(node).state(node)

    def outlook(self) -> Outlook:
        name, first = next(iter(self._stacks.items()))
        return self._all(first.outlook(), name)

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        return self.of(name_of(node)).lever(node, prior, override, outlook)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        return self.of(name_of(node)).facts(node)

    def _all(self, outlook: Outlook, name: str) -> Outlook:
        """What one stack tells of its nodes, with the states of the others'."""
        told = {other: one.states() or () for other, one in self._stacks.items() if other != name}
        mine = {name: tuple(outlook.states.values())}
        ordered = {other: {**told, **mine}[other] for other in self._stacks}
        return replace(outlook, states={state.node: state for state in self._merged(ordered)})

    def _merged(self, told: Mapping[str, Sequence[NodeState]]) -> Iterator[NodeState]:
        return merged(told, self._client.present())


class Chosen(Several):
    """The same, for a run that is about a node of one of them."""

    def __init__(self, client: Client, stacks: Iterable[str], name: str) -> None:
        super().__init__(client, stacks)
        self.name = name

    def of(self, node: str) -> Provider:
        """The one that was chosen, whatever else is on the node."""
        return self._stacks[self.name]

    def outlook(self) -> Outlook:
        return self._all(self._stacks[self.name].outlook(), self.name)


def merged(told: Mapping[str, Sequence[NodeState]], now: float) -> Iterator[NodeState]:
    """One state per node, by stack: of the one that is at work there; of two, the first, and it says so."""
    others = {state.node for name, states in told.items() if name != providers.DEFAULT for state in states}
    ours = {state.node for state in told.get(providers.DEFAULT, ()) if alive(state, now)}
    by_node: dict[str, list[tuple[str, NodeState]]] = {}
    for name, states in told.items():
        for state in states:
            has = state.node in ours
            if (
                (has or state.node not in others)
                if name == providers.DEFAULT
                else not (has and _closed(state))
            ):
                by_node.setdefault(state.node, []).append((name, state))
    for (_, first), *more in by_node.values():
        yield replace(first, problems=(*first.problems, *(_also(name) for name, _ in more)))


def _also(name: str) -> str:
    one = providers.stack_of(name)
    return f"{one.TITLE} speaks BGP on this node too, {one.SIGN}; that is not shown here"

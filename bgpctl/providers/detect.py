"""Which stack speaks BGP in a cluster, and on each node of it.

Where the API server knows no CiliumBGPNodeConfig (two small requests say so), nobody but bgpctl's own speaker
can be meant. Where it does, what is in the cluster tells: the CiliumBGPNodeConfigs that Cilium's operator
makes, and the BGPNodeStates that our speakers publish. A cluster that moves from one to the other has both,
each node one of them; a node with both is nobody's to guess about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bgpctl import providers
from bgpctl.core.reading.documents import name_of
from bgpctl.core.state import NodeState
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.ports import NOTHING_KNOWN, Outlook, Provider

if TYPE_CHECKING:
    from bgpctl.core.drain.lever import Lever
    from bgpctl.core.timing.facts import PeerFacts

CILIUM = "cilium"


@dataclass(frozen=True, slots=True)
class Found:
    """`stacks`: who speaks BGP in a cluster, one name or two. `alone`: nobody but bgpctl's own speaker can be
    meant, not before either."""

    stacks: tuple[str, ...]
    alone: bool = False


def look(client: Client) -> Found:
    """Who speaks BGP in this cluster."""
    configs = _any(client, *paths.NODE_CONFIGS)
    if configs is None:
        return Found((providers.DEFAULT,), alone=True)
    ours = _any(client, paths.NODE_STATES)
    if configs:
        return Found((providers.DEFAULT, CILIUM) if ours else (CILIUM,))
    # Every node of Cilium may be out by its label: then there is none, but its agents' CiliumNodes are.
    return Found((providers.DEFAULT,) if ours or not _any(client, paths.CILIUM_NODES) else (CILIUM,))


def of_cluster(client: Client) -> Provider:
    """Of all nodes."""
    found = look(client).stacks
    return providers.named(client, found[0]) if len(found) == 1 else Both(client)


def of_node(client: Client, node: str, found: Found) -> Provider:
    """Of one node of a cluster. Raises Blocked where two are at work on it."""
    one = len(found.stacks) == 1
    return providers.named(client, found.stacks[0]) if one else Both(client).of(node)


def _any(client: Client, *versions: str) -> bool | None:
    """Is there one? None: the API server does not know the kind, or shows us none of it."""
    for path in versions:
        try:
            return bool(client.get(path, limit="1").get("items"))
        except NotFound:
            continue
        except ApiError as error:
            if error.code != 403:
                raise
            return None
    return None


class Both:
    """As `bgpctl.ports.Provider`, of a cluster in which some nodes have our speaker and others Cilium."""

    name = "bgpctl and cilium"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ours = providers.named(client, providers.DEFAULT)
        self._cilium = providers.named(client, CILIUM)

    def of(self, node: str) -> Provider:
        """Raises Blocked where both are at work."""
        theirs = any(self._client.find(f"{path}/{paths.named(node)}") for path in paths.NODE_CONFIGS)
        if not theirs:
            return self._ours
        state = self._ours.state(node)
        if state is None or not _alive(state, self._client.present()):
            return self._cilium
        raise Blocked(
            f"two stacks speak BGP on {node}: bgpctl's speaker, which reports, and Cilium, which has a "
            "CiliumBGPNodeConfig for it",
            f"end one of them there, or say whom it is about: --provider {self._ours.name} or "
            f"--provider {CILIUM}",
        )

    def states(self) -> tuple[NodeState, ...] | None:
        ours, theirs = self._ours.states() or (), self._cilium.states() or ()
        return tuple(merged(ours, theirs, self._client.present()))

    def state(self, node: str) -> NodeState | None:
        return self.of(node).state(node)

    def outlook(self) -> Outlook:
        ours, theirs = self._ours.outlook(), self._cilium.states() or ()
        states = merged(tuple(ours.states.values()), theirs, self._client.present())
        return Outlook({state.node: state for state in states}, ours.fleet, ours.selectors, ours.missing)

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


def merged(ours: Sequence[NodeState], theirs: Sequence[NodeState], now: float) -> Iterator[NodeState]:
    """One state per node: of the stack that is at work there; of both, both, and the second says so."""
    told = {state.node: state for state in theirs}
    alive = {state.node: state for state in ours if state.node not in told or _alive(state, now)}
    for state in (*alive.values(), *(state for name, state in told.items() if name not in alive)):
        yield _doubly(state) if state.node in alive and state.node in told else state


def _doubly(state: NodeState) -> NodeState:
    text = "Cilium speaks BGP on this node too (it has a CiliumBGPNodeConfig), which is not shown here"
    return replace(state, problems=(*state.problems, text))


def _alive(state: NodeState, now: float) -> bool:
    """Is our speaker there? One whose object cannot be read may be."""
    return bool(state.unreadable) or not (state.stale(now) or state.phase == "Stopped")

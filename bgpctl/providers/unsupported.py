"""BGP stacks that are recognised and not supported: a drain is refused with what to do instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgpctl.core.drain.lever import Effect, Lever
from bgpctl.core.reading.documents import name_of
from bgpctl.core.state import NodeState
from bgpctl.kube.client import Client
from bgpctl.kube.optional import optional, permitted
from bgpctl.ports import NOTHING_KNOWN, Outlook, Provider
from bgpctl.providers.stack import Summary, any_of

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts


@dataclass(frozen=True, slots=True)
class Unsupported:
    """As `bgpctl.ports.Provider`: nothing is known of its nodes."""

    name: str
    why: str

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        return ()

    def state(self, node: str) -> NodeState | None:
        return None

    def outlook(self) -> Outlook:
        return Outlook(missing=self.why)

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        return Lever((self.name,), refusal=self.why, effect=Effect.NOTHING)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class UnsupportedStack:
    """As `bgpctl.providers.stack.Stack`. `kinds`: collections of which one has an object where it is at work;
    `by_node`: those that have one for each node, under its name."""

    name: str
    TITLE: str
    SIGN: str
    why: str
    kinds: tuple[str, ...]
    by_node: tuple[str, ...]

    def provider(self, client: Client) -> Provider:
        return Unsupported(self.name, self.why)

    def speaks(self, client: Client) -> bool | None:
        return any_of(client, *self.kinds)

    def may_speak(self, client: Client) -> bool:
        return False

    def on(self, client: Client, node: str) -> bool:
        return node in map(name_of, optional(client, *self.by_node))

    def summary(self, client: Client) -> Summary:
        nodes = self._nodes(client)
        return Summary(self.name, len(nodes), "", "nothing", self.why, at_work=nodes)

    def _nodes(self, client: Client) -> frozenset[str]:
        return frozenset(map(name_of, permitted(client, *self.by_node) or ()))


_ISOVALENT = tuple(f"/apis/isovalent.com/{version}/isovalentbgpnodeconfigs" for version in ("v1", "v1alpha1"))
_PEROUTER = "/apis/openpe.openperouter.github.io/v1alpha1"

ISOVALENT = UnsupportedStack(
    "isovalent",
    "Isovalent Enterprise",
    "which has an IsovalentBGPNodeConfig for it",
    "Isovalent Enterprise speaks BGP by resources of its own, which bgpctl does not know: take the node out "
    "by the label that its IsovalentBGPClusterConfig selects by, and wait for its routers",
    _ISOVALENT,
    _ISOVALENT,
)
OPENPEROUTER = UnsupportedStack(
    "openperouter",
    "OpenPERouter",
    "which has a RouterNodeConfigurationStatus for it",
    "OpenPERouter peers with the routers for what speaks BGP behind it, and bgpctl does not know it: drain "
    "by the stack behind it (--provider NAME), or take the node out of its Underlay's nodeSelector, and wait "
    "for its routers",
    (f"{_PEROUTER}/underlays",),
    (f"{_PEROUTER}/routernodeconfigurationstatuses",),
)

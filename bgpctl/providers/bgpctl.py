"""bgpctl's own speaker: it publishes a BGPNodeState, runs by the Cilium BGP resources, and leaves by the
label that they select by, withdrawing first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core.policy.annotations import GRACEFUL_SHUTDOWN_SOAK
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.unchanged import remembered
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import from_document, read_states
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound
from bgpctl.ports import NOTHING_KNOWN, Outlook

if TYPE_CHECKING:
    from bgpctl.core.drain.lever import Lever
    from bgpctl.core.timing.facts import PeerFacts

UNSERVED = (
    "the cluster serves neither CiliumBGPPeeringPolicy nor CiliumBGPClusterConfig: what the node announces "
    "is not known"
)
UNREPORTED = "the cluster serves no BGPNodeState: what the node announces is not known"


class Bgpctl:
    """As `bgpctl.ports.Provider`."""

    name = "bgpctl"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._read = remembered(from_document)

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        found = (self._client.find(paths.node_state(name)) for name in names)
        if there := [document for document in found if document]:
            return read_states(there)
        try:
            return read_states(self._client.items(paths.NODE_STATES), self._read)
        except NotFound:
            return None

    def state(self, node: str) -> NodeState | None:
        document = self._client.find(paths.node_state(node))
        if document is None:
            return None
        try:
            return self._read(document)
        except Unreadable as error:
            raise Blocked(
                f"what node {node} announces is unknown: its BGPNodeState cannot be read ({error.message})",
                f"a speaker of this version that runs there writes a good one\n"
                f"to see this one: kubectl get bgpnodestate {node} -o yaml\n"
                f"where no speaker runs (it is silent then): kubectl delete bgpnodestate {node}",
            ) from None

    def outlook(self) -> Outlook:
        from bgpctl.providers import policies

        told = self.states()
        fleet, served = policies.read_fleet(self._client)
        selecting = policies.selectors(fleet.objects.policies, fleet.objects.cluster_configs)
        missing = UNSERVED if not served else UNREPORTED if told is None else ""
        return Outlook({state.node: state for state in told or ()}, fleet, selecting, missing)

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        from bgpctl.providers import policies

        selecting, served = (outlook.selectors, True) if outlook else policies.read_selectors(self._client)
        soak = f"kubectl annotate node {name_of(node)} {GRACEFUL_SHUTDOWN_SOAK}=10s --overwrite"
        unsoaked = (
            f"bgpctl's speaker does that by itself when it leaves, for as long as its Node says: {soak}"
        )
        lever = policies.label_lever(selecting, node, override)
        refusal = lever.refusal if served else UNSERVED  # an outlook says so itself (`missing`)
        return replace(lever, unsoaked=unsoaked, refusal=refusal)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        from bgpctl.core.intent.fleet import Fleet
        from bgpctl.core.timing.facts import facts_from_peer
        from bgpctl.providers import policies

        found, _ = policies.read_policies(self._client)
        return tuple(facts_from_peer(peer) for peer in Fleet(found).bare(node).peers)

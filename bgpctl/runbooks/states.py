"""What speakers published, read from the cluster: the one place where BGPNodeStates become values."""

from __future__ import annotations

from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import from_document, read_states
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound


def of_all(client: Client) -> tuple[NodeState, ...] | None:
    """Every node's; one that cannot be read says so (`unreadable`). None where the CRD is not installed."""
    try:
        return read_states(client.items(paths.NODE_STATES))
    except NotFound:
        return None


def of_node(client: Client, node: str) -> NodeState | None:
    """One node's, None when no speaker ever reported. Raises Blocked for one that cannot be read: what a node
    announces is then not known, and nothing may be decided from it."""
    document = client.find(paths.node_state(node))
    if document is None:
        return None
    try:
        return from_document(document)
    except Unreadable as error:
        raise Blocked(
            f"what node {node} announces is unknown: its BGPNodeState cannot be read ({error.message})",
            f"a speaker of this version that runs there writes a good one\n"
            f"to see this one: kubectl get bgpnodestate {node} -o yaml\n"
            f"where no speaker runs (it is silent then): kubectl delete bgpnodestate {node}",
        ) from None

"""One look at the cluster for `peers status`: the speakers' reports, and nodes asked for that have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgpctl.cli import wire

if TYPE_CHECKING:
    from bgpctl.core.state import NodeState
    from bgpctl.kube.client import Client
    from bgpctl.render.peers import Picture


def peers(client: Client, names: Sequence[str], provider: str | None = None) -> Picture:
    """The picture of now. Without `names`: every node that has a speaker. Raises UsageError for a name that
    is no node and that no speaker reports under."""
    from bgpctl.render.peers import NO_NODE

    found = picture(client, names, wire.node_states(client, provider, names))
    if unknown := [name for name in names if found.missing.get(name) == NO_NODE]:
        from bgpctl.runbooks.objects import no_such_node

        raise no_such_node(*unknown)
    return found


def picture(client: Client, names: Sequence[str], states: Sequence[NodeState]) -> Picture:
    """The picture of these states, cut down to `names`."""
    from bgpctl.render.peers import NO_NODE, NO_SPEAKER, Picture

    if not names:
        return Picture(tuple(states), {}, client.present())
    chosen = tuple(state for state in states if state.node in names)
    missing = set(names) - {state.node for state in chosen}
    known = wire.existing_nodes(client, missing)
    words = {name: NO_SPEAKER if name in known else NO_NODE for name in missing}
    return Picture(chosen, words, client.present())

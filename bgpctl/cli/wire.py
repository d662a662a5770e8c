"""The composition root: flags and the kubeconfig become the real parts that commands work with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bgpctl.cli.flags import Given
from bgpctl.errors import BgpctlError, UsageError

if TYPE_CHECKING:
    from bgpctl.core.handover import Look
    from bgpctl.core.state import NodeState
    from bgpctl.kube.client import Client
    from bgpctl.ports import Provider
    from bgpctl.providers.pods import Pods

PROBES_EXTENSION = "bgpctl.io/router-probes"


def client(given: Given) -> Client:
    """The API server that the flags, $KUBECONFIG or the pod's service account name."""
    from bgpctl.kube.client import Client
    from bgpctl.kube.config import load_access

    access = load_access(given.kubeconfig, given.context).impersonating(given.user, given.groups)
    return Client(access, patience=given.patience, chunk=given.chunk)


def in_cluster_client() -> Client:
    """The API server of the pod we run in, whatever kubeconfig files there are."""
    from bgpctl.kube.client import Client
    from bgpctl.kube.incluster import in_cluster

    return Client(in_cluster())


def provider(client: Client, name: str | None = None) -> Provider:
    """Who speaks BGP in the cluster: the one of that name, None = as its objects tell."""
    from bgpctl import providers

    return providers.of(client, name or "")


def other_stacks(client: Client, node: str) -> Callable[[], Look]:
    """Looks for another BGP stack on the node of our speaker."""
    from bgpctl.providers import detect

    return lambda: detect.beside(client, node)


def node_states(client: Client, name: str | None = None, nodes: Sequence[str] = ()) -> tuple[NodeState, ...]:
    """What every speaker of the cluster said last; of those `nodes` at least, where some are named."""
    from bgpctl import providers

    found = provider(client, name).states(providers.few(nodes))
    if found is None:
        raise BgpctlError(
            "this cluster does not know BGPNodeState: no bgpctl speaker was ever installed in it",
            "check the context with `kubectl config current-context`",
        )
    return found


def existing_nodes(client: Client, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that are nodes of the cluster."""
    from bgpctl.kube import paths

    return frozenset(name for name in names if client.find(paths.node(name)))


def look_for(client: Client, nodes: Sequence[str]) -> None:
    """Raises UsageError for names that are no nodes; whoever may not read Nodes hears of the pods only."""
    from contextlib import suppress

    from bgpctl.kube.client import ApiError
    from bgpctl.runbooks.objects import no_such_node

    with suppress(ApiError):
        known = existing_nodes(client, nodes)
        if missing := [name for name in nodes if name not in known]:
            raise no_such_node(*missing)


def pods(client: Client, name: str | None) -> tuple[Pods, ...]:
    """In which pods BGP is spoken: by the provider of that name, None = by those that the cluster's objects
    tell of. Raises UsageError where the pods of none of them are known."""
    from bgpctl.providers import detect
    from bgpctl.providers.pods import TABLE

    names = (name,) if name else detect.look(client).stacks
    known = tuple(TABLE[one] for one in names if one in TABLE)
    if not known:
        raise UsageError(
            f"it is not known in which pods {', '.join(names)} speaks BGP",
            f"choose another with --provider: {', '.join(TABLE)}",
        )
    return known


def probes_in(flags: Sequence[str], found: Sequence[str]) -> str:
    """Where the probes are written that `router_probes` found, for who has to correct them."""
    from bgpctl.runbooks.options import PROBE_FLAG

    return (
        PROBE_FLAG if flags or not found else f"the extension {PROBES_EXTENSION} of the kubeconfig's context"
    )


def router_probes(client: Client, flags: Sequence[str]) -> tuple[str, ...]:
    """The probes of the flags; without any, those of the kubeconfig's context (the lab writes them)."""
    from bgpctl.runbooks.kept import NO_PROBES
    from bgpctl.runbooks.options import PROBE_FLAG
    from bgpctl.witness.probe import parse_probe

    if NO_PROBES in flags and len(flags) > 1:
        raise UsageError(
            f"{PROBE_FLAG} {NO_PROBES} asks no router, and another one names one", "give one of them"
        )
    if flags:
        return tuple(text for text in flags if text != NO_PROBES)
    extension = client.access.extensions.get(PROBES_EXTENSION) or ()
    if not isinstance(extension, list | tuple) or not all(isinstance(text, str) for text in extension):
        raise UsageError(
            f"the kubeconfig's extension {PROBES_EXTENSION} is not a list of router probes",
            f"correct it, or pass {PROBE_FLAG} ({NO_PROBES} asks no router)",
        )
    for text in extension:
        try:
            parse_probe(text)
        except UsageError as error:
            raise UsageError(
                f"the kubeconfig's extension {PROBES_EXTENSION}: {error.message}",
                f"{error.hint}\nor pass {PROBE_FLAG} ({NO_PROBES} asks no router)",
            ) from None
    return tuple(extension)

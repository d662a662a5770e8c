"""MetalLB in a cluster, where frr-k8s does not speak for it: a `bgpctl.providers.stack.Stack`."""

from __future__ import annotations

from bgpctl.core import metallb
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted
from bgpctl.ports import Provider
from bgpctl.providers.frr_k8s_objects import Objects
from bgpctl.providers.metallb import MetalLB
from bgpctl.providers.stack import ALWAYS, Right, Summary, any_of, image_tag, lacking

TITLE = "MetalLB"
SIGN = "which has a BGPPeer, and no FRRConfiguration of MetalLB's"

NEEDED: tuple[Right, ...] = (*ALWAYS, ("list", "", "nodes", ""), ("list", "metallb.io", "bgppeers", ""))


def provider(client: Client) -> Provider:
    return MetalLB(client)


def speaks(client: Client) -> bool | None:
    """Where its speaker writes FRRConfigurations, frr-k8s has the sessions."""
    told = any_of(client, *paths.METALLB_PEERS)
    return told and not Objects(client).of_metallb()


def may_speak(client: Client) -> bool:
    """Nothing of it goes when its nodes are taken out."""
    return False


def on(client: Client, node: str) -> bool:
    """Not where frr-k8s has its sessions."""
    if Objects(client).of_metallb(node):
        return False
    state = MetalLB(client).state(node)
    return state is not None and bool(state.peers or state.unread)


def summary(client: Client) -> Summary:
    states = MetalLB(client).states() or ()
    ignored = metallb.ignores_exclusion(permitted(client, paths.DAEMONSETS) or ())
    lever, why = "withdraws", f"the label {EXCLUDE}: Services are all that it announces"
    if ignored:
        lever, why = "nothing", f"its speaker ignores the label {EXCLUDE} ({metallb.IGNORES})"
    out = [state.node for state in states if state.told_out]
    return Summary(
        MetalLB.name,
        len(states),
        image_tag(client, metallb.CONTAINER),
        lever,
        why,
        lacking(client, NEEDED),
        (f"{', '.join(out)}: withdrawn by bgpctl",) if out else (),
        frozenset(state.node for state in states),
    )

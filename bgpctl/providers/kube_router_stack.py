"""kube-router in a cluster: a `bgpctl.providers.stack.Stack`. It has no resources of its own."""

from __future__ import annotations

from bgpctl.core.kube_router import CONTAINER
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.kube_router import KubeRouter
from bgpctl.providers.stack import ALWAYS, Summary, image_tag, lacking

TITLE = "kube-router"
SIGN = "whose DaemonSet runs on it"

NEEDED = (*ALWAYS, ("list", "", "nodes", ""), ("list", "apps", "daemonsets", ""))


def provider(client: Client) -> Provider:
    return KubeRouter(client)


def speaks(client: Client) -> bool | None:
    return bool(KubeRouter(client).settings())


def may_speak(client: Client) -> bool:
    return False


def on(client: Client, node: str) -> bool:
    state = KubeRouter(client).state(node)
    return state is not None and bool(state.peers)


def summary(client: Client) -> Summary:
    states = [one for one in KubeRouter(client).states() or () if one.peers or one.unreadable]
    return Summary(
        KubeRouter.name,
        len(states),
        image_tag(client, CONTAINER),
        "nothing",
        "no label and no object of it makes one node withdraw; a drain says what stopping its pod costs",
        lacking(client, NEEDED),
        at_work=frozenset(state.node for state in states),
    )

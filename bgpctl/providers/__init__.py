"""Who speaks BGP on the nodes: two files per stack, `NAME.py`, a `bgpctl.ports.Provider`, and
`NAME_stack.py`, by what it is recognised and how it is summed up.

To add one: write them, enter it in `TABLE` and its pods in `pods.py`, and say in docs/providers.md what it
knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgpctl.errors import UsageError

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.ports import Provider
    from bgpctl.providers.stack import Stack

DEFAULT = "bgpctl"
SPEAKER_PODS = "app.kubernetes.io/name=bgpctl-speaker"
FEW = 20


@dataclass(frozen=True, slots=True)
class Row:
    """What has to be known of a stack before its modules are worth loading. `groups`: the API groups of which
    one is served wherever it is; none = it has no resources, and is looked for where nobody else is.
    `closes_apart`: it withdraws with the sessions up, and closes them by another act. `left_behind`: what a
    run leaves of a node that is deleted meanwhile, and who clears it away."""

    load: Callable[[], Stack]
    groups: frozenset[str] = frozenset()
    closes_apart: bool = False
    left_behind: str = "nothing is left to do on it; its speaker withdraws the routes of a deleted node"


def _bgpctl() -> Stack:
    from bgpctl.providers import bgpctl_stack

    return bgpctl_stack


def _cilium() -> Stack:
    from bgpctl.providers import cilium_stack

    return cilium_stack


def _calico() -> Stack:
    from bgpctl.providers import calico_stack

    return calico_stack


def _frr_k8s() -> Stack:
    from bgpctl.providers import frr_k8s_stack

    return frr_k8s_stack


def _metallb() -> Stack:
    from bgpctl.providers import metallb_stack

    return metallb_stack


def _kube_router() -> Stack:
    from bgpctl.providers import kube_router_stack

    return kube_router_stack


def _isovalent() -> Stack:
    from bgpctl.providers.unsupported import ISOVALENT

    return ISOVALENT


def _openperouter() -> Stack:
    from bgpctl.providers.unsupported import OPENPEROUTER

    return OPENPEROUTER


TABLE: dict[str, Row] = {
    DEFAULT: Row(_bgpctl, frozenset({"bgpctl.io"})),
    "cilium": Row(
        _cilium,
        frozenset({"cilium.io"}),
        closes_apart=True,
        left_behind="what Cilium has of it stays, and a new node of its name would have it: bgpctl cilium "
        "prepare clears it away",
    ),
    "calico": Row(
        _calico,
        frozenset({"projectcalico.org", "crd.projectcalico.org"}),
        left_behind="its BGPPeers stay as they are, and a new node of its name would announce nothing: "
        "bgpctl calico prepare clears that away",
    ),
    "frr-k8s": Row(
        _frr_k8s,
        frozenset({"frrk8s.metallb.io"}),
        left_behind="nothing is left to do on it: the FRRConfiguration by which it announced nothing is "
        "owned by its Node, and goes with it",
    ),
    "metallb": Row(_metallb, frozenset({"metallb.io"})),
    "kube-router": Row(_kube_router),
    "isovalent": Row(_isovalent, frozenset({"isovalent.com"})),
    "openperouter": Row(_openperouter, frozenset({"openpe.openperouter.github.io"})),
}


def few(names: Sequence[str]) -> Sequence[str]:
    """Those nodes of which each is asked for by itself; () = all are wanted, or a list of all costs less."""
    return names if len(names) <= FEW else ()


def stack_of(name: str) -> Stack:
    """The modules of one that is in the table."""
    return TABLE[name].load()


def left_behind(name: str) -> str:
    """What a run of that provider leaves of a node that was deleted meanwhile."""
    return TABLE.get(name, TABLE[DEFAULT]).left_behind


def of(client: Client, name: str = "") -> Provider:
    """The provider of that name, "" = the one that this cluster has. Raises UsageError for one that does not
    exist."""
    if not name:
        from bgpctl.providers import detect

        return detect.of_cluster(client)
    return named(client, name)


def named(client: Client, name: str) -> Provider:
    """Raises UsageError for one that does not exist."""
    if name not in TABLE:
        raise UsageError(f"{name!r} is no provider", f"one of: {', '.join(TABLE)}")
    return stack_of(name).provider(client)

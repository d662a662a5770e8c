"""MetalLB's frr-k8s in a cluster: a `bgpctl.providers.stack.Stack`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bgpctl.core.frr_k8s.config import GROUP, KIND
from bgpctl.core.frr_k8s.states import Host
from bgpctl.core.frr_k8s.told import CONTAINER
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.frr_k8s import FrrK8s
from bgpctl.providers.frr_k8s_objects import METALLB_NAME, Objects
from bgpctl.providers.stack import ALWAYS, Right, Summary, image_tag, lacking

TITLE = "MetalLB (frr-k8s)"
SIGN = f"which has a peer by an {KIND}"

NEEDED: tuple[Right, ...] = (
    *ALWAYS,
    ("list", "", "nodes", ""),
    *(("list", GROUP, resource, "") for resource in ("frrconfigurations", "bgpsessionstates")),
    ("get", GROUP, "frrnodestates", ""),
    *((verb, GROUP, "frrconfigurations", "") for verb in ("create", "patch", "delete")),
)


def provider(client: Client) -> Provider:
    return FrrK8s(client)


def speaks(client: Client) -> bool | None:
    return Objects(client).in_use()


def may_speak(client: Client) -> bool:
    """Nothing of it goes when its nodes are taken out."""
    return False


def on(client: Client, node: str) -> bool:
    host = _host(client, node)
    return host is not None and host.concerned


def speaks_on(client: Client, node: str, *, without_metallb: bool) -> bool:
    """May it have peers there, also by lines of FRR's own? `without_metallb`: by another FRRConfiguration
    than the one that MetalLB's speaker writes."""
    host = _host(client, node)
    if host is None:
        return False
    mine = f"{METALLB_NAME}{node}" if without_metallb and Objects(client).of_metallb(node) else ""
    by = [one for one in host.configurations if one.name != mine]
    return bool(host.unread or any(one.neighbors or "neighbor" in one.raw for one in by))


def _host(client: Client, node: str) -> Host | None:
    document = client.find(paths.node(node))
    return Objects(client).host(document) if document else None


def summary(client: Client) -> Summary:
    objects = Objects(client)
    hosts = list(objects.hosts() or ())
    lever, why = _lever(hosts)
    return Summary(
        FrrK8s.name,
        len(hosts),
        image_tag(client, CONTAINER),
        lever,
        why,
        lacking(client, NEEDED),
        tuple(_notes(objects, hosts)),
        frozenset(host.name for host in hosts),
    )


def _lever(hosts: Sequence[Host]) -> tuple[str, str]:
    for host in hosts:
        if trouble := next(host.troubles(), ""):
            return "nothing", f"{host.name}: {trouble}"
    return "withdraws", f"an {KIND} for that node, sessions up (not tried on frr-k8s itself)"


def _notes(objects: Objects, hosts: Sequence[Host]) -> Iterator[str]:
    if out := [host.name for host in hosts if host.out]:
        yield f"{', '.join(out)}: withdrawn by bgpctl"
    if partly := [host.name for host in hosts if host.ours and host.loud]:
        yield f"{', '.join(partly)}: withdrawn by bgpctl, and has a peer since then that it announces to"
    found = objects.configurations()
    known = {host.ours.uid for host in hosts if host.ours}
    for one in found.ours.values() if found else ():
        if one.uid not in known:
            yield (
                f"{KIND} {one.namespace}/{one.name} silences no node that is there: kubectl delete "
                f"frrconfiguration -n {one.namespace} {one.name}"
            )
    for host in hosts:
        if host.status and host.status.conversion:
            yield f"{host.name}: frr-k8s keeps an older configuration: {host.status.conversion}"

"""Rules about what BGP needs of the cluster: nodes that serve, kube-proxy, certificates."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.doctor.facts import Facts
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity

SOON_SECONDS = 30 * 86400.0


def proxy_down(facts: Facts) -> Iterator[Said]:
    """A node announces Service addresses, and its kube-proxy is not ready.

    Traffic comes to the node by BGP, and nothing on it knows the Service's endpoints of now: it goes to pods
    that are gone, or nowhere.
    """
    announcing = {state.node for state in facts.live if state.established and state.intended != 0}
    for node in facts.proxies_down or ():
        if node in announcing:
            fix = (
                f"kubectl -n kube-system get pods -l k8s-app=kube-proxy --field-selector spec.nodeName={node}"
            )
            yield Finding(node, "it announces, and its kube-proxy is not ready", fix, node)


def not_ready_and_announcing(facts: Facts) -> Iterator[Said]:
    """A node is not Ready and has its sessions up.

    Its kubelet is away and its pods run on, perhaps; the routers send their share either way. Our speaker
    keeps the routes on purpose. If the node is broken, take it out.
    """
    up = {state.node for state in facts.live if state.established and state.intended != 0}
    for node in facts.nodes:
        if node.ready is False and node.name in up:
            why = "it is not Ready, and announces"
            yield Finding(node.name, why, f"bgpctl node drain {node.name} --order withdraw-first", node.name)


def certificate_expired(facts: Facts) -> Iterator[Said]:
    """A certificate with which the API server is reached has expired.

    Speakers and this bgpctl cannot reach it any more, or soon: what nodes announce then stays as it is.
    """
    for one in facts.certificates or ():
        if one.not_after <= facts.now:
            yield Finding(
                one.what, "it has expired", "renew it (kubeadm certs renew all, or as your cluster does)"
            )


def certificate_expires(facts: Facts) -> Iterator[Said]:
    """A certificate with which the API server is reached expires within 30 days."""
    for one in facts.certificates or ():
        if 0 < one.not_after - facts.now <= SOON_SECONDS:
            days = int((one.not_after - facts.now) // 86400)
            fix = "renew it (kubeadm certs renew all, or as your cluster does)"
            yield Finding(one.what, f"it expires in {days} days", fix)


RULES = (
    Rule("kube-proxy-down", Severity.ERROR, proxy_down, ("states", "proxies_down")),
    Rule("not-ready-and-announcing", Severity.WARNING, not_ready_and_announcing, ("states",)),
    Rule("certificate-expired", Severity.ERROR, certificate_expired, ("certificates",)),
    Rule("certificate-expires", Severity.WARNING, certificate_expires, ("certificates",)),
)

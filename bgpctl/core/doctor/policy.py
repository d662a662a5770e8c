"""Rules about the policies: who selects whom, and what in them has no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from bgpctl.core.cilium.nodeconfig import SOAK_SUFFIX, SUFFIX
from bgpctl.core.doctor.facts import Facts, NodeFacts
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.drain.deselection import deselecting_label
from bgpctl.core.policy.claim import NO_OWNER
from bgpctl.core.policy.owners import AnyClaim
from bgpctl.core.policy.v2.cluster import ClusterConfig
from bgpctl.core.policy.v2.common import Parsed

NOT_HERE = "is not known here"
"""How `core.policy.v2.compile` says that only the node itself could tell."""
LEFT_OUT = ("peer ", "instance ")
COPIES = (SUFFIX, SOAK_SUFFIX)
"""How the names end of what bgpctl made for drains: nobody refers to it until one begins."""


def _selecting(facts: Facts, node: NodeFacts) -> list[AnyClaim]:
    return [claim for claim in facts.claims or () if claim.selects(node.labels, NO_OWNER)]


def two_policies(facts: Facts) -> Iterator[Said]:
    """Two policies select one node.

    Our speaker keeps the one that had it; Cilium clears every session of such a node, which turns one stray
    policy into an outage (facts: cilium.md 1.1, 1.2).
    """
    for node in facts.nodes:
        names = sorted(str(claim.owner) for claim in _selecting(facts, node))
        if len(names) > 1:
            fix = f"take the node out of one of them: change the nodeSelector of {names[-1]}"
            yield Finding(node.name, f"{', '.join(names)} select it", fix, node.name)


def policy_invalid(facts: Facts) -> Iterator[Said]:
    """An object that configures BGP is invalid.

    The last good form of it stays in force on nodes whose speaker saw one; a speaker that starts now has
    none, and the node announces nothing.
    """
    for name, problems, _ in _objects(facts):
        for problem in problems:
            yield Finding(name, f"{problem.path or '(document)'}: {problem.message}", _edit(name))


def policy_warning(facts: Facts) -> Iterator[Said]:
    """Something in an object that configures BGP has no effect.

    A family that nobody speaks, a peer without settings, an annotation for something that is off. The same
    that `bgpctl policy check` says of a file.
    """
    for name, _, warnings in _objects(facts):
        for warning in warnings:
            yield Finding(name, f"{warning.path}: {warning.message}", _edit(name))


def _edit(name: str) -> str:
    kind, _, called = name.partition(" ")
    return f"kubectl edit {kind.lower()} {called}"


def _objects(facts: Facts) -> Iterator[tuple[str, Iterable[Any], Iterable[Any]]]:
    """Every object's name, faults and warnings; not those that bgpctl made for drains."""
    for claim in facts.claims or ():
        if not claim.name.endswith(COPIES):
            yield str(claim.owner), claim.problems, claim.warnings
    if facts.resources is None:
        return
    found = facts.resources
    read: Sequence[Parsed[Any]] = (
        *found.peer_configs.values(),
        *found.advertisements,
        *found.overrides.values(),
    )
    for one in read:
        if not one.name.endswith(COPIES):
            yield f"{one.kind} {one.name}", one.problems, one.warnings


def policy_selects_nothing(facts: Facts) -> Iterator[Said]:
    """A policy selects no node.

    Its label is spelled otherwise than the nodes', or all of its nodes were taken out and nobody brought them
    back.
    """
    for claim in facts.claims or ():
        if claim.value is None or claim.name.endswith(COPIES):
            continue
        if not any(claim.selects(node.labels, NO_OWNER) for node in facts.nodes):
            selector = claim.node_selector
            fix = f"kubectl get nodes -l '{selector}'" if selector else "kubectl get nodes --show-labels"
            yield Finding(str(claim.owner), "it selects no node", fix)


def selector_cannot_leave(facts: Facts) -> Iterator[Said]:
    """No label takes a node out of the policies that select it.

    An empty nodeSelector, or one that asks only for labels which belong to Kubernetes: such a node cannot be
    drained by its label, and the guide's procedure has no first step.
    """
    selectors = facts.selectors or {}
    known: dict[tuple[tuple[str, str], ...], str] = {}
    keys = _keys(selectors)
    for node in facts.nodes:
        projected = tuple((key, value) for key, value in node.labels.items() if key in keys)
        if projected not in known:
            known[projected] = deselecting_label(selectors, dict(projected)).refusal
        if refusal := known[projected]:
            fix = "add a label of your own to the nodeSelector: matchLabels: {enable-bgp: 'true'}"
            yield Finding(node.name, refusal, fix, node.name)


def _keys(selectors: Mapping[str, Any]) -> frozenset[str]:
    """The labels that any of them looks at."""
    found: set[str] = set()
    for selector in selectors.values():
        if selector is not None:
            found.update(key for key, _ in selector.match_labels)
            found.update(one.key for one in selector.match_expressions)
    return frozenset(found)


def peer_left_out(facts: Facts) -> Iterator[Said]:
    """A peer of a policy gets no session on a node.

    Its CiliumBGPPeerConfig does not exist, none of its families can be spoken, another peer has the same
    session already. The sentence is the one that the speaker itself would say.
    """
    for name, intent in (facts.intents or {}).items():
        for problem in intent.problems:
            if not problem.startswith(LEFT_OUT):
                continue
            if NOT_HERE in problem:
                yield Unknown(
                    "what only the node itself can tell (its interfaces, its default gateway)", name
                )
            else:
                yield Finding(name, problem, f"bgpctl routes {name} --absent", name)


def advertisement_unused(facts: Facts) -> Iterator[Said]:
    """A CiliumBGPAdvertisement is selected by no family of any CiliumBGPPeerConfig.

    What it advertises goes nowhere: its labels and the selectors in `families[].advertisements` do not meet.
    """
    if facts.resources is None:
        return
    peers = [parsed.value for parsed in facts.resources.peer_configs.values() if parsed.value]
    selectors = [f.advertisements for peer in peers for f in peer.families if f.advertisements is not None]
    for parsed in facts.resources.advertisements:
        if parsed.value is not None and not any(one.matches(dict(parsed.value.labels)) for one in selectors):
            name = f"{parsed.kind} {parsed.name}"
            yield Finding(name, "no CiliumBGPPeerConfig selects it", _edit(name))


def peer_config_unused(facts: Facts) -> Iterator[Said]:
    """A CiliumBGPPeerConfig is referred to by no peer.

    Usually a name that is spelled otherwise in `peerConfigRef`; the peer that meant it gets no session.
    Copies that bgpctl made for drains are not meant.
    """
    if facts.resources is None:
        return
    configs = [claim.value for claim in facts.claims or () if isinstance(claim.value, ClusterConfig)]
    used = {peer.config for config in configs for instance in config.instances for peer in instance.peers}
    for name, parsed in facts.resources.peer_configs.items():
        if name not in used and not name.endswith(COPIES):
            yield Finding(f"{parsed.kind} {name}", "no peer refers to it", _edit(f"{parsed.kind} {name}"))


def override_unused(facts: Facts) -> Iterator[Said]:
    """A CiliumBGPNodeConfigOverride has the name of no node.

    It is matched by name, so it changes nothing.
    """
    if facts.resources is None:
        return
    there = {node.name for node in facts.nodes}
    for name, parsed in facts.resources.overrides.items():
        if name not in there:
            yield Finding(f"{parsed.kind} {name}", "no Node has its name", _edit(f"{parsed.kind} {name}"))


def router_id_twice(facts: Facts) -> Iterator[Said]:
    """Two nodes that peer with the same router have the same BGP Identifier.

    A router takes the second for the first that came back: the sessions take turns (RFC 4271 section 6.8), or
    one of them is refused (2/3, Bad BGP Identifier).
    """
    holders: dict[tuple[IPv4Address, str, int], list[str]] = {}
    for name, intent in (facts.intents or {}).items():
        for peer in intent.peers:
            holders.setdefault((peer.router_id, str(peer.address), peer.port), []).append(name)
    for (identifier, address, _), names in holders.items():
        distinct = sorted(set(names))
        for name in distinct if len(distinct) > 1 else ():
            fix = (
                f"kubectl annotate node {name} cilium.io/bgp-virtual-router.ASN=router-id=ADDRESS --overwrite"
            )
            why = f"{len(distinct)} nodes that peer with {address} have the router ID {identifier}"
            yield Finding(name, why, fix, name)


def multihop_without_use(facts: Facts) -> Iterator[Said]:
    """A peer of the node's own AS has a multihop TTL.

    It counts for eBGP only; an iBGP session takes any distance.
    """
    for name, intent in (facts.intents or {}).items():
        for peer in intent.peers:
            if not peer.external and peer.multihop_ttl > 1:
                fix = "take the multihop TTL out of the policy, or correct the AS numbers"
                why = f"peer {peer.address} is in the same AS: its multihop TTL has no effect"
                yield Finding(name, why, fix, name)


RULES = (
    Rule("two-policies", Severity.ERROR, two_policies, ("claims",)),
    Rule("policy-invalid", Severity.ERROR, policy_invalid, ("claims",)),
    Rule("policy-warning", Severity.WARNING, policy_warning, ("claims",)),
    Rule("policy-selects-nothing", Severity.WARNING, policy_selects_nothing, ("claims",)),
    Rule("selector-cannot-leave", Severity.WARNING, selector_cannot_leave, ("selectors",)),
    Rule("peer-left-out", Severity.ERROR, peer_left_out, ("intents",)),
    Rule("advertisement-unused", Severity.WARNING, advertisement_unused, ("resources",)),
    Rule("peer-config-unused", Severity.WARNING, peer_config_unused, ("resources", "claims")),
    Rule("override-unused", Severity.WARNING, override_unused, ("resources",)),
    Rule("router-id-twice", Severity.ERROR, router_id_twice, ("intents",)),
    Rule("multihop-without-use", Severity.NOTE, multihop_without_use, ("intents",)),
)

"""All objects of an install, in the order in which they are made. Pure, but for the shipped definitions.

To add one: a function of `Options` in a file of its theme, its line here, its kind in `KINDS` if that is new;
`python -m tests.manifests` then writes the chart and the base anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.install import admission, crds, dashboards, monitoring, roles, speaker
from bgpctl.install.labels import meta
from bgpctl.install.settings import Options

Document = dict[str, Any]

NEVER_MADE = ("default", "kube-system", "kube-public", "kube-node-lease")

KINDS: Mapping[str, tuple[str, str]] = {
    "Namespace": ("/api/v1", "namespaces"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ClusterRole": (f"/apis/{roles.RBAC}/v1", "clusterroles"),
    "Role": (f"/apis/{roles.RBAC}/v1", "roles"),
    "ClusterRoleBinding": (f"/apis/{roles.RBAC}/v1", "clusterrolebindings"),
    "RoleBinding": (f"/apis/{roles.RBAC}/v1", "rolebindings"),
    "ValidatingAdmissionPolicy": (f"/apis/{admission.API}", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": (f"/apis/{admission.API}", "validatingadmissionpolicybindings"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "PodMonitor": ("/apis/monitoring.coreos.com/v1", "podmonitors"),
    "PrometheusRule": ("/apis/monitoring.coreos.com/v1", "prometheusrules"),
}
"""Every kind that an install may make: where the API server has its version and what it calls it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object, and in one sentence what for."""

    document: Document
    why: str

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        """Within its kind and namespace."""
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """ "" = it is in none."""
        return str(self.document["metadata"].get("namespace", ""))

    @property
    def words(self) -> str:
        """`DaemonSet bgpctl-system/bgpctl-speaker`"""
        return words_of(self.document)


def words_of(document: Mapping[str, Any]) -> str:
    """An object's kind, namespace and name, for people."""
    found = document["metadata"]
    where = f"{found['namespace']}/" if found.get("namespace") else ""
    return f"{document['kind']} {where}{found['name']}"


def manifests(chosen: Options) -> tuple[Manifest, ...]:
    """What `chosen` asks for."""
    return tuple(_all(chosen))


def _all(chosen: Options) -> Iterator[Manifest]:
    if chosen["createNamespace"] and chosen.namespace not in NEVER_MADE:
        yield Manifest(_namespace(chosen), "pods on the host's network need the level privileged")
    for one in crds.definitions(chosen):
        ours = "what each speaker says of its node" if crds.is_ours(one) else "as Cilium has it"
        yield Manifest(one, ours)
    for one in roles.accounts(chosen):
        yield Manifest(one, "who the pods are")
    for title, one in roles.roles(chosen):
        yield Manifest(one, title)
    for one in roles.bindings(chosen):
        yield Manifest(one, "who has it")
    if chosen["admissionPolicy"]:
        for one in admission.policy(chosen):
            yield Manifest(one, "a speaker writes the BGPNodeState of its own node only")
    if chosen["networkPolicy"]:
        yield Manifest(_closed(chosen), "nothing comes in to pods that have a network of their own")
    for one in speaker.daemon_sets(chosen):
        engine = one["metadata"]["name"] != "bgpctl-speaker"
        yield Manifest(one, "ExaBGP, which keeps the sessions" if engine else "decides what is announced")
    if chosen["monitoring"]:
        yield from _monitoring(chosen)


def _monitoring(chosen: Options) -> Iterator[Manifest]:
    for one in monitoring.monitors(chosen):
        yield Manifest(one, "for the Prometheus operator")
    for one in dashboards.config_maps(chosen):
        yield Manifest(one, "a dashboard for Grafana's sidecar")


def _namespace(chosen: Options) -> Document:
    found = meta(chosen, chosen.namespace, "")
    found["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": found}


def _closed(chosen: Options) -> Document:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta(chosen, "bgpctl"),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }

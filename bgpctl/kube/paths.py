"""Where objects live on the API server: one function or constant per resource that bgpctl touches.

A function whose name or namespace cannot be one raises UsageError (`named`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from bgpctl.core.state import GROUP, PLURAL, VERSION
from bgpctl.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")  # of nodes, pods, Leases; RBAC's may have a colon

NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
SERVICES = "/api/v1/services"
ENDPOINT_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
# As kube-proxy asks for them: no node answers for an address of a headless Service.
BALANCED_SLICES = {"labelSelector": "!service.kubernetes.io/headless"}
DAEMONSETS = "/apis/apps/v1/daemonsets"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
PEERING_POLICIES = "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies"
# In the order of preference: Cilium serves v2 since 1.18, older ones v2alpha1 only.
_CILIUM = ("/apis/cilium.io/v2", "/apis/cilium.io/v2alpha1")
CLUSTER_CONFIGS = tuple(f"{base}/ciliumbgpclusterconfigs" for base in _CILIUM)
PEER_CONFIGS = tuple(f"{base}/ciliumbgppeerconfigs" for base in _CILIUM)
ADVERTISEMENTS = tuple(f"{base}/ciliumbgpadvertisements" for base in _CILIUM)
OVERRIDES = tuple(f"{base}/ciliumbgpnodeconfigoverrides" for base in _CILIUM)
NODE_CONFIGS = tuple(f"{base}/ciliumbgpnodeconfigs" for base in _CILIUM)
LB_POOLS = tuple(f"{base}/ciliumloadbalancerippools" for base in _CILIUM)
POD_POOLS = "/apis/cilium.io/v2alpha1/ciliumpodippools"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
# In the order of preference: Calico's own API, and the CRDs in which it keeps its objects.
CALICO = ("/apis/projectcalico.org/v3", "/apis/crd.projectcalico.org/v1")
FRR_K8S = "/apis/frrk8s.metallb.io/v1beta1"
METALLB_PEERS = tuple(f"/apis/metallb.io/{version}/bgppeers" for version in ("v1beta2", "v1beta1"))
NODE_STATES = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@lru_cache(256)
def named(name: str) -> str:
    """A name as one step of a path. Raises UsageError: "" would name the whole collection, a slash something
    below it."""
    if name in (".", "..") or not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no object's name", "see `kubectl get nodes`")
    return quote(name, safe="")


def node(name: str) -> str:
    return f"{NODES}/{named(name)}"


def node_state(name: str) -> str:
    return f"{NODE_STATES}/{named(name)}"


def pod(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{named(namespace)}/pods/{named(name)}"


def pod_metrics(namespace: str, name: str, port: int, https: bool) -> str:
    """What a pod serves at `/metrics` of this port, through the API server: needs the right to get
    pods/proxy."""
    scheme = "https:" if https else ""
    return f"/api/v1/namespaces/{named(namespace)}/pods/{scheme}{named(name)}:{port}/proxy/metrics"


def eviction(namespace: str, name: str) -> str:
    """Takes a policy/v1 Eviction of this pod; answers 429 while a budget does not let it go."""
    return f"{pod(namespace, name)}/eviction"


def config_map(namespace: str, name: str) -> str:
    """Of one ConfigMap."""
    return f"/api/v1/namespaces/{named(namespace)}/configmaps/{named(name)}"


def service(namespace: str, name: str) -> str:
    """Of one Service."""
    return f"/api/v1/namespaces/{named(namespace)}/services/{named(name)}"


def slices(namespace: str) -> str:
    """The EndpointSlices of a namespace."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{named(namespace)}/endpointslices"


def secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{named(namespace)}/secrets"


def frr_configuration(namespace: str, name: str) -> str:
    """Of one FRRConfiguration: frr-k8s looks into its own namespace."""
    return f"{FRR_K8S}/namespaces/{named(namespace)}/frrconfigurations/{named(name)}"


def events(namespace: str) -> str:
    """The Events of a namespace."""
    return f"/api/v1/namespaces/{named(namespace)}/events"


def leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{named(namespace)}/leases"


def lease(namespace: str, name: str) -> str:
    return f"{leases(namespace)}/{named(name)}"

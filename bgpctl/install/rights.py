"""Who needs which right, and why: one table, of which the roles, `auth check` and docs/install.md are made.

Each row was found by letting the commands run as a user with exactly these rights, and by taking every one
away (tests/integration/test_rights.py). `without`: what is missing then where the command goes on; "" = it
refuses, and names the right. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

CORE, APPS, OURS, CILIUM = "", "apps", "bgpctl.io", "cilium.io"
LEASES, SLICES, POLICY = "coordination.k8s.io", "discovery.k8s.io", "policy"
SYSTEM = "kube-system"
VERDICTS = "bgpctl-verdicts"

SPEAKER, OPERATOR, READER = "speaker", "node-operator", "reader"


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on resources of one API group. `namespace` "" = cluster-wide; `names`: only objects of these."""

    verbs: tuple[str, ...]
    group: str
    resources: tuple[str, ...]
    why: str
    without: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ()

    def each(self) -> Iterator[Right]:
        """One verb on one resource at a time."""
        for resource in self.resources:
            for verb in self.verbs:
                yield Right(
                    (verb,), self.group, (resource,), self.why, self.without, self.namespace, self.names
                )

    @property
    def words(self) -> str:
        """For people: `get nodes`, `list leases.coordination.k8s.io in kube-system`."""
        group = f".{self.group}" if self.group else ""
        what = ",".join(
            f"{resource.partition('/')[0]}{group}{_below(resource)}" for resource in self.resources
        )
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{','.join(self.verbs)} {what}{where}"


def _below(resource: str) -> str:
    return "/" + resource.partition("/")[2] if "/" in resource else ""


def _may(
    verbs: str,
    group: str,
    resources: str,
    why: str,
    without: str = "",
    namespace: str = "",
    names: tuple[str, ...] = (),
) -> Right:
    return Right(tuple(verbs.split()), group, tuple(resources.split()), why, without, namespace, names)


POLICIES = "ciliumbgppeeringpolicies ciliumbgpclusterconfigs"
COMPANIONS = "ciliumbgppeerconfigs ciliumbgpadvertisements ciliumbgpnodeconfigoverrides"
POOLS = "ciliumloadbalancerippools ciliumpodippools"

_ELECTED = "which of the speakers judges the policies"
_UNJUDGED = "no conditions are written on the policies"

SPEAKER_RIGHTS: Sequence[Right] = (
    _may(
        "get",
        CORE,
        "nodes",
        "whose the node is: another stack's, or ours",
        "it waits for as long as it cannot be seen",
    ),
    _may("list watch", CORE, "nodes", "its Node: labels, addresses, PodCIDRs; whether it goes away"),
    _may("list watch", CORE, "services", "what is announced"),
    _may("list watch", SLICES, "endpointslices", "where a Service has endpoints"),
    _may("list watch", CILIUM, f"{POLICIES} {COMPANIONS}", "the BGP policies"),
    _may(
        "list watch", CILIUM, POOLS, "advertisements by pool", "they are taken as not there, and it says so"
    ),
    _may(
        "get list watch",
        CILIUM,
        "ciliumnodes",
        "PodCIDRs that Cilium allocates; whether Cilium has the node",
        "PodCIDRs of the Node alone count",
    ),
    _may(
        "get list",
        CILIUM,
        "ciliumbgpnodeconfigs",
        "whether Cilium's own BGP has the node",
        "it waits, unless it had sessions before",
    ),
    _may("list", APPS, "daemonsets", "whether kube-router has the node", "kube-router is not looked for"),
    _may("create patch", OURS, "bgpnodestates", "what it says of itself"),
    _may("get", OURS, "bgpnodestates", "what the one before it said", "a patch of nothing shows it"),
    _may("patch", OURS, "bgpnodestates/status", "what it says of itself"),
    _may("list watch", OURS, "bgpnodestates", "which policy each speaker runs", _UNJUDGED),
    _may("get", CILIUM, "ciliumbgpclusterconfigs ciliumbgppeerconfigs", "the conditions so far", _UNJUDGED),
    _may(
        "patch",
        CILIUM,
        "ciliumbgpclusterconfigs/status ciliumbgppeerconfigs/status",
        "verdicts in words",
        _UNJUDGED,
    ),
    _may("list watch update", LEASES, "leases", _ELECTED, _UNJUDGED, SYSTEM, (VERDICTS,)),
    _may("create", LEASES, "leases", _ELECTED, _UNJUDGED, SYSTEM),
)

UNSEEN = "Cilium's own BGP is not looked for"

_LOOK: Sequence[Right] = (
    _may("get list", CORE, "nodes", "the nodes"),
    _may("list", CORE, "services", "what is announced", "doctor goes on without it"),
    _may("list", SLICES, "endpointslices", "where a Service has endpoints", "doctor goes on without it"),
    _may("get list", OURS, "bgpnodestates", "what the speakers say"),
    _may("list", CILIUM, f"{POLICIES} {COMPANIONS}", "the BGP policies"),
    _may("list", CILIUM, POOLS, "advertisements by pool", "by pool nothing is told"),
    _may("list", CILIUM, "ciliumnodes ciliumbgpnodeconfigs", "whether Cilium speaks BGP too", UNSEEN),
)

READER_RIGHTS: Sequence[Right] = (
    *_LOOK,
    _may("get", CORE, "services", "explain a Service"),
    _may("get", CORE, "pods", "explain a Pod"),
    _may("list", CORE, "pods", "forecast and doctor count them", "they go on without it"),
    _may("list", APPS, "daemonsets", "doctor: workloads that BGP depends on", "doctor goes on without it"),
    _may("list", CORE, "events", "doctor: how long pulls took", "doctor goes on without it"),
    _may(
        "get",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "doctor: is the CRD the one of this version",
        "doctor goes on without it",
        names=("bgpnodestates.bgpctl.io",),
    ),
    _may(
        "list",
        LEASES,
        "leases",
        "which runs are going on",
        "those of nodes with a journal are asked for",
        SYSTEM,
    ),
)

OPERATOR_RIGHTS: Sequence[Right] = (
    *_LOOK,
    _may("patch", CORE, "nodes", "cordon, label, journal"),
    _may("list", CORE, "pods", "what runs on the node"),
    _may("create", CORE, "pods/eviction", "evict it"),
    _may("delete", CORE, "pods", "speaker restart, and --disable-eviction", "drains evict"),
    _may("list", APPS, "daemonsets", "which pods stay; whether kured reboots the node"),
    _may(
        "list",
        POLICY,
        "poddisruptionbudgets",
        "which pods may not go now",
        "the API server refuses what a budget forbids",
    ),
    _may("get", CILIUM, "ciliumnodes", "whether Cilium announces for the node too"),
    _may(
        "get",
        CILIUM,
        "ciliumbgpnodeconfigs",
        "whether Cilium announces for the node too",
        "where Cilium serves them, a drain is refused",
    ),
    _may(
        "create get patch",
        CORE,
        "events",
        "what a run did, in kubectl describe node",
        "the Events are missing",
        "default",
    ),
    _may("create get update", LEASES, "leases", "one run owns a node", "", SYSTEM),
    _may(
        "list",
        LEASES,
        "leases",
        "node status: who owns which",
        "those of drained nodes are asked for",
        SYSTEM,
    ),
    _may(
        "delete", LEASES, "leases", "a node is let go of", "the Lease stays until it expires, in 15 s", SYSTEM
    ),
)

ROLES: Mapping[str, Sequence[Right]] = {
    SPEAKER: SPEAKER_RIGHTS,
    OPERATOR: OPERATOR_RIGHTS,
    READER: READER_RIGHTS,
}

TITLES: Mapping[str, str] = {
    SPEAKER: "a speaker: its ServiceAccount",
    OPERATOR: "a person or a script that drains and restores nodes",
    READER: "who only looks: peers status, node status, routes, explain, forecast, doctor",
}


def _calico(group: str) -> Mapping[str, Sequence[Right]]:
    """Calico's own API, or the definitions in which it keeps its objects where that is not installed."""
    look = (
        _may("list", group, "bgppeers ippools", "Calico's peers and pools"),
        _may("get", group, "bgpconfigurations bgpfilters", "Calico's settings, and the prepared filter"),
    )
    return {
        OPERATOR: (
            *look,
            _may("get", group, "caliconodestatuses", "whether its sessions are up"),
            _may("list", group, "caliconodestatuses", "the same of all nodes"),
            _may("patch", group, "bgppeers", "the filter that withdraws"),
        ),
        READER: (*look, _may("list", group, "caliconodestatuses", "whether its sessions are up")),
        SPEAKER: (*look, _may("get", group, "caliconodestatuses", "whether Calico has the node")),
    }


FRR = "frrk8s.metallb.io"
ESTIMATED = "it is estimated"
BY_LABEL = "it leaves by its label, and the sessions close at once"

EXTRAS: Mapping[str, Mapping[str, Sequence[Right]]] = {
    "cilium": {
        OPERATOR: (
            _may("get", CILIUM, "ciliumbgpclusterconfigs", "what selects the node", BY_LABEL),
            _may("patch", CILIUM, "ciliumbgpnodeconfigs", "withdraw with the sessions up", BY_LABEL),
        )
    },
    "calico": _calico("projectcalico.org"),
    "calico-crd": _calico("crd.projectcalico.org"),
    "frr-k8s": {
        OPERATOR: (
            _may("list", FRR, "frrconfigurations bgpsessionstates frrnodestates", "what its nodes do"),
            _may("get", FRR, "frrnodestates", "what the node does"),
            _may("get create patch delete", FRR, "frrconfigurations", "the one that withdraws"),
        ),
        READER: (_may("list", FRR, "frrconfigurations bgpsessionstates frrnodestates", "what its nodes do"),),
        SPEAKER: (
            _may("list", FRR, "frrconfigurations bgpsessionstates", "whether frr-k8s has the node"),
            _may("get", FRR, "frrnodestates", "whether frr-k8s has the node"),
            _may("list", CORE, "pods", "whether frr-k8s runs there"),
        ),
    },
    "metallb": {
        role: (_may("list", "metallb.io", "bgppeers", "MetalLB's peers", "MetalLB is not looked for"),)
        for role in (OPERATOR, READER, SPEAKER)
    },
    "exec": {
        OPERATOR: (
            _may("get create", CORE, "pods/exec", "ask a stack's own engine", "no word of it: estimated"),
        )
    },
    "medik8s": {
        OPERATOR: (
            _may(
                "get", LEASES, "leases", "whether medik8s owns the node", "it is not known", "medik8s-leases"
            ),
        )
    },
    "logs": {
        READER: (_may("get", CORE, "pods/log", "bgpctl logs"), _may("list", CORE, "pods", "bgpctl logs"))
    },
    "metrics": {READER: (_may("get", CORE, "pods/proxy", "bgpctl metrics"),)},
    "upgrade": {
        OPERATOR: (
            _may("create", CORE, "pods", "preflight upgrade: its pulls", "", SYSTEM),
            _may("list", CORE, "events", "how long they took", ESTIMATED, SYSTEM),
            _may("create", CORE, "pods", "speaker upgrade: its pulls", "", "{namespace}"),
            _may("list", CORE, "events", "how long they took", ESTIMATED, "{namespace}"),
            _may("patch", APPS, "daemonsets", "speaker upgrade: the image", "", "{namespace}"),
        )
    },
}

INSTALL = "install"
RBAC, ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
_GIVES = "roles; also `bind` and `escalate` on them, or every right that they give"
_BINDS = "who has them"

INSTALL_RIGHTS: Sequence[Right] = (
    _may("get create patch", CORE, "namespaces", "the namespace", ""),
    _may("get create patch", "apiextensions.k8s.io", "customresourcedefinitions", "the definitions", ""),
    _may("get list create patch delete", CORE, "serviceaccounts", "who the pods are"),
    _may("get list create patch delete", RBAC, "clusterroles roles", _GIVES),
    _may("get list create patch delete", RBAC, "clusterrolebindings rolebindings", _BINDS),
    _may(
        "get list create patch delete",
        ADMISSION,
        "validatingadmissionpolicies validatingadmissionpolicybindings",
        "a speaker writes of its own node only",
    ),
    _may("list", "networking.k8s.io", "networkpolicies", "what an earlier install left"),
    _may("list", CORE, "configmaps", "dashboards of an earlier one; in its own namespace is enough"),
    _may("get list create patch delete", APPS, "daemonsets", "speaker and engine"),
    _may("get create update", LEASES, "leases", "one install at a time", "", SYSTEM),
    _may("delete", LEASES, "leases", "to leave nothing behind", "an empty Lease stays", SYSTEM),
    _may(
        "list",
        CORE,
        "pods",
        "uninstall: where speakers run; it waits until they ended",
        "it goes by their DaemonSets, and does not wait",
    ),
    _may("list", OURS, "bgpnodestates", "who announces"),
    _may("get", CORE, "nodes", "whether one that announces keeps its speaker with another nodeSelector"),
)
"""Of who installs: no role of an install, because it is needed before there is one."""


def rights_of(role: str, extras: Sequence[str] = (), namespace: str = "") -> tuple[Right, ...]:
    """Of a role with these extras; `namespace`: where bgpctl is installed."""
    more = (rows.get(role, ()) for extra, rows in EXTRAS.items() if extra in extras)
    found = [*ROLES[role], *(right for rows in more for right in rows)]
    return tuple(_placed(right, namespace) for right in found)


def _placed(right: Right, namespace: str) -> Right:
    if right.namespace != "{namespace}":
        return right
    return Right(right.verbs, right.group, right.resources, right.why, right.without, namespace, right.names)

"""Which resources are served: the built-in ones as a table, and those that CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bgpctl.lab.api import quick
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.schema import ROOT_FIELDS
from bgpctl.lab.api.store import Key

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource at one version.

    `status`: has the status subresource, so that writes of the one leave the other alone.
    `generation`: metadata.generation counts changes of the desired state.
    `keeps_status`: a create may bring a status (a kubelet registers its Node with one).
    `unconditional`: PUT without resourceVersion is allowed; `upsert`: PUT creates what is missing.
    `renames`: stored field name -> name at this version, where two versions spell fields differently.
    `terminating`: its definition is being deleted, and takes no new objects.
    `schema`, `columns`: of a custom resource, its openAPIV3Schema and additionalPrinterColumns. `fits`: the
    schema's predicate, by which what surely satisfies it is known quickly.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    status: bool = False
    generation: bool = False
    keeps_status: bool = False
    unconditional: bool = True
    upsert: bool = False
    custom: bool = False
    terminating: bool = False
    fields: frozenset[str] = frozenset()
    renames: Mapping[str, str] = field(default_factory=dict)
    schema: Document | None = None
    fits: Callable[[Any], bool] | None = field(default=None, compare=False, repr=False)
    columns: tuple[Document, ...] = ()
    list_kind: str = ""

    @property
    def key(self) -> Key:
        """Where its objects are kept; both event groups share one place."""
        return ("", "events") if self.plural == "events" else (self.group, self.plural)

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may be done with it; as in apiextensions-apiserver, customresource_discovery_controller.go."""
        gone = ("create", "patch", "update") if self.terminating else ()
        return tuple(verb for verb in VERBS if verb not in gone)

    @property
    def api_version(self) -> str:
        """`apps/v1`; the core group has no name and no slash: `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def collection_kind(self) -> str:
        """`PodList`, unless a CRD names its own."""
        return self.list_kind or f"{self.kind}List"

    @property
    def one(self) -> str:
        """The singular, which kubectl takes for a name too; the kind in small letters where there is none."""
        return self.singular or self.kind.lower()


_POD_FIELDS = frozenset(
    {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"}
    | {"spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"}
)
_EVENT_FIELDS = frozenset(
    {f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")}
    | {"involvedObject.resourceVersion", "reason", "reportingComponent", "source", "type"}
)
# events.k8s.io/v1 spells the same stored Event differently.
# Source: k8s.io/kubernetes/pkg/apis/events/v1/conversion.go.
_EVENT_RENAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def _core(plural: str, kind: str, *short_names: str, **more: Any) -> Resource:
    return Resource("", "v1", plural, kind, short_names=short_names, **more)


def _apps(plural: str, kind: str, short_name: str) -> Resource:
    return Resource(
        *("apps", "v1", plural, kind),
        short_names=(short_name,),
        categories=("all",),
        subresources=() if kind == "DaemonSet" else ("scale",),
        status=True,
        generation=True,
    )


def _cluster_wide(plural: str, kind: str, group: str, **more: Any) -> Resource:
    """Kept and shown; of admission's kinds nothing is evaluated here."""
    return Resource(group, "v1", plural, kind, namespaced=False, **more)


RBAC, ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"

BUILTIN: tuple[Resource, ...] = (
    _core("configmaps", "ConfigMap", "cm"),
    _core("events", "Event", "ev", fields=_EVENT_FIELDS, upsert=True),
    _core(
        *("namespaces", "Namespace", "ns"),
        namespaced=False,
        status=True,
        subresources=("finalize",),
        fields=frozenset({"status.phase"}),
    ),
    _core(
        *("nodes", "Node", "no"),
        namespaced=False,
        status=True,
        keeps_status=True,
        fields=frozenset({"spec.unschedulable"}),
    ),
    _core(
        *("pods", "Pod", "po"),
        status=True,
        subresources=("eviction",),
        categories=("all",),
        fields=_POD_FIELDS,
    ),
    _core("secrets", "Secret", fields=frozenset({"type"})),
    _core("serviceaccounts", "ServiceAccount", "sa"),
    _core(
        *("services", "Service", "svc"),
        status=True,
        categories=("all",),
        upsert=True,
        fields=frozenset({"spec.clusterIP", "spec.type"}),
    ),
    Resource(
        *("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"),
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        status=True,
        generation=True,
        unconditional=False,
    ),
    _apps("daemonsets", "DaemonSet", "ds"),
    _apps("deployments", "Deployment", "deploy"),
    _apps("replicasets", "ReplicaSet", "rs"),
    _apps("statefulsets", "StatefulSet", "sts"),
    Resource(*("coordination.k8s.io", "v1", "leases", "Lease"), unconditional=False, upsert=True),
    Resource(*("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"), generation=True),
    Resource(
        *("events.k8s.io", "v1", "events", "Event"),
        short_names=("ev",),
        upsert=True,
        renames=_EVENT_RENAMES,
        fields=_EVENT_FIELDS,
    ),
    Resource(
        *("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
        short_names=("pdb",),
        status=True,
        generation=True,
        unconditional=False,
    ),
    _cluster_wide("clusterroles", "ClusterRole", RBAC),
    _cluster_wide("clusterrolebindings", "ClusterRoleBinding", RBAC),
    Resource(RBAC, "v1", "roles", "Role"),
    Resource(RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(
        *("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
        short_names=("netpol",),
        generation=True,
    ),
    _cluster_wide("validatingadmissionpolicies", "ValidatingAdmissionPolicy", ADMISSION, generation=True),
    _cluster_wide("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", ADMISSION),
)

CRDS: Key = ("apiextensions.k8s.io", "customresourcedefinitions")


def from_crd(crd: Document) -> Iterator[Resource]:
    """The resources that a CustomResourceDefinition serves, one per served version."""
    for version in crd["spec"]["versions"]:
        if version.get("served"):
            terminating = bool((crd.get("metadata") or {}).get("deletionTimestamp"))
            yield replace(_custom(crd["spec"], version), terminating=terminating)


def _custom(spec: Document, version: Document) -> Resource:
    names = spec["names"]
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    return Resource(
        *(spec["group"], version["name"], names["plural"], names["kind"]),
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status="status" in (version.get("subresources") or {}),
        generation=True,
        unconditional=False,
        custom=True,
        fields=frozenset(f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ()),
        schema=schema,
        fits=None if schema is None else quick.compiled(schema, ROOT_FIELDS),
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        list_kind=names.get("listKind", ""),
    )


class Registry:
    """The resources served now. Writers replace the table as a whole, so readers need no lock."""

    def __init__(self, resources: tuple[Resource, ...] = BUILTIN) -> None:
        self._table = {(r.group, r.version, r.plural): r for r in resources}

    def fork(self) -> Registry:
        """A copy that changes on its own; the resources themselves never do."""
        made = Registry(())
        made._table = self._table
        return made

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """None for what is not served; `version` counts."""
        return self._table.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource that an object's apiVersion and kind name."""
        return next((r for r in self.all() if r.api_version == api_version and r.kind == kind), None)

    def by_key(self, key: Key) -> Resource | None:
        """Any version of the resource kept at `key`."""
        return next((r for r in self.all() if r.key == key), None)

    def by_plural(self, plural: str) -> Resource:
        """For seeds and tests: the resource of that name; raises KeyError."""
        for resource in self.all():
            if resource.plural == plural:
                return resource
        raise KeyError(plural)

    def all(self) -> list[Resource]:
        """Every version of every resource, in the order in which they were added."""
        return list(self._table.values())

    def groups(self) -> dict[str, list[str]]:
        """Group -> its versions, in the order in which they were added; the core group is ""."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self._table:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return found

    def sync_crd(self, crd: Document) -> None:
        """Serve what the definition says, and nothing that an older state of it said."""
        table = self._lacking(crd)
        table.update({(r.group, r.version, r.plural): r for r in from_crd(crd)})
        self._table = table

    def drop_crd(self, crd: Document) -> None:
        """No resource of this definition is served any more; what the server is made of stays."""
        self._table = self._lacking(crd)

    def _lacking(self, crd: Document) -> dict[tuple[str, str, str], Resource]:
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        return {
            k: r for k, r in self._table.items() if (r.group, r.plural) != (group, plural) or not r.custom
        }

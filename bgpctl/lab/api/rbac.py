"""Role-based access control: may a user do it, by the Roles and bindings that are in the cluster?

Source: k8s.io/kubernetes/pkg/registry/rbac/validation/rule.go and pkg/apis/rbac/v1/evaluation_helpers.go. As
there, a rule with resourceNames grants a list or a watch only where a field selector names the object, and
never a create. What grants more than its giver has is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.lab.api.documents import Document, metadata
from bgpctl.lab.api.store import Store

GROUP = "rbac.authorization.k8s.io"
ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Asked:
    """`resource` with its subresource (`pods/eviction`); `namespace` "" = cluster-wide, `name` "" = any."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Roles:
    """What the bindings in a store grant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def grant(self, user: str, asked: Asked) -> bool:
        """Does any rule of any role that is bound to the user, or to a group of theirs?"""
        return any(grants(rule, asked) for rule in self._rules(user, asked.namespace))

    def _rules(self, user: str, namespace: str) -> Iterator[Document]:
        bindings = [("clusterrolebindings", "")] + ([("rolebindings", namespace)] if namespace else [])
        for plural, place in bindings:
            for binding in self._all(plural, place):
                if any(_is(subject, user, place) for subject in _listed(binding, "subjects")):
                    yield from self._of_role(binding.get("roleRef") or {}, place)

    def _of_role(self, reference: Mapping[str, Any], namespace: str) -> Iterable[Document]:
        cluster = reference.get("kind") == "ClusterRole"
        plural, place = ("clusterroles", "") if cluster else ("roles", namespace)
        found = self._store.get((GROUP, plural), place, str(reference.get("name", "")))
        return _listed(found.document, "rules") if found else ()

    def _all(self, plural: str, namespace: str) -> Iterator[Document]:
        for stored in self._store.all((GROUP, plural), namespace)[0]:
            if metadata(stored.document).get("namespace", "") == namespace:
                yield stored.document


def grants(rule: Mapping[str, Any], asked: Asked) -> bool:
    """Does one PolicyRule allow it?"""
    _, _, subresource = asked.resource.partition("/")
    resources = {asked.resource, "*", *([f"*/{subresource}"] if subresource else ())}
    names = _listed(rule, "resourceNames")
    return (
        _holds(rule, "verbs", {asked.verb, "*"})
        and _holds(rule, "apiGroups", {asked.group, "*"})
        and _holds(rule, "resources", resources)
        and (not names or (bool(asked.name) and asked.name in names))
    )


def _holds(rule: Mapping[str, Any], field: str, wanted: set[str]) -> bool:
    return any(one in wanted for one in _listed(rule, field))


def _is(subject: Mapping[str, Any], user: str, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        return user == f"{ACCOUNT}{subject.get('namespace') or namespace}:{name}"
    return user == name if kind == "User" else name in groups_of(user)


def groups_of(user: str) -> tuple[str, ...]:
    """Those that everybody is in, and a ServiceAccount's own."""
    if not user.startswith(ACCOUNT):
        return ("system:authenticated",)
    namespace = user.removeprefix(ACCOUNT).partition(":")[0]
    return ("system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def _listed(document: Mapping[str, Any], field: str) -> list[Any]:
    found = document.get(field)
    return found if isinstance(found, list) else []

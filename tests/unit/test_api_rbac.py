"""The lab's role-based access control, held against the cases of Kubernetes' own rule evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.lab.api.rbac import Asked, grants
from bgpctl.lab.api.server import ApiServer

GROUP = "rbac.authorization.k8s.io/v1"
SPEAKER = "system:serviceaccount:bgp:speaker"


def rule(verbs: str, group: str, resources: str, names: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        (rule("get list", "", "nodes"), Asked("list", "", "nodes"), True),
        (rule("get list", "", "nodes"), Asked("watch", "", "nodes"), False),
        (rule("get", "apps", "nodes"), Asked("get", "", "nodes"), False),
        (rule("*", "*", "*"), Asked("delete", "x.io", "things/status"), True),
        (rule("create", "", "pods"), Asked("create", "", "pods/eviction"), False),
        (rule("create", "", "pods/eviction"), Asked("create", "", "pods/eviction"), True),
        (rule("get", "", "*/status"), Asked("get", "", "nodes/status"), True),
        (rule("get", "", "*/status"), Asked("get", "", "nodes"), False),
        (rule("get", "", "secrets", "a b"), Asked("get", "", "secrets", "bgp", "b"), True),
        (rule("get", "", "secrets", "a b"), Asked("get", "", "secrets", "bgp", "c"), False),
        # a list and a create name nothing
        (rule("list", "", "secrets", "a"), Asked("list", "", "secrets", "bgp"), False),
        (rule("create", "", "secrets", "a"), Asked("create", "", "secrets", "bgp"), False),
        ({}, Asked("get", "", "nodes"), False),
        ({"verbs": "get"}, Asked("get", "", "nodes"), False),
    ],
)
def test_a_rule(given: dict[str, Any], asked: Asked, expected: bool) -> None:
    assert grants(given, asked) is expected


def bound(server: ApiServer, kind: str, namespace: str, role: str, subject: dict[str, str]) -> None:
    meta = {"name": f"to-{role}", **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    server.apply(
        {
            "apiVersion": GROUP,
            "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
            "metadata": meta,
            "roleRef": reference,
            "subjects": [subject],
        }
    )


def test_bindings() -> None:
    server = ApiServer(controllers=False)
    one = {"apiVersion": GROUP, "kind": "ClusterRole", "metadata": {"name": "reads"}}
    server.apply({**one, "rules": [rule("get", "", "pods")]})
    asked = Asked("get", "", "pods", "default", "p")
    everywhere = Asked("get", "", "pods")
    assert not server.roles.grant(SPEAKER, asked)

    account = {"kind": "ServiceAccount", "name": "speaker", "namespace": "bgp"}
    bound(server, "ClusterRole", "default", "reads", account)
    assert server.roles.grant(SPEAKER, asked)
    assert not server.roles.grant(SPEAKER, everywhere), "a RoleBinding grants in its own namespace"
    assert not server.roles.grant("system:serviceaccount:other:speaker", asked)

    bound(server, "ClusterRole", "", "reads", {"kind": "Group", "name": "system:serviceaccounts:bgp"})
    assert server.roles.grant(SPEAKER, everywhere)
    assert not server.roles.grant("anna", everywhere)
    bound(server, "ClusterRole", "", "reads", {"kind": "User", "name": "anna"})
    assert server.roles.grant("anna", everywhere)


def test_a_binding_to_a_role_that_is_not_there_grants_nothing() -> None:
    server = ApiServer(controllers=False)
    bound(server, "ClusterRole", "", "nowhere", {"kind": "User", "name": "anna"})
    assert not server.roles.grant("anna", Asked("get", "", "pods"))


def test_names_of_roles_may_have_a_colon() -> None:
    one = {"apiVersion": GROUP, "kind": "ClusterRole", "rules": []}
    ApiServer(controllers=False).apply({**one, "metadata": {"name": "system:node"}})

"""ServiceAccounts, roles and bindings, made of the table of rights. Pure.

A right in a namespace needs a Role there, beside the ClusterRole of the same name; both are bound to the same
subjects. Persons and scripts are bound by `readers` and `nodeOperators`, or by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bgpctl.install.labels import ENGINE, SPEAKER, meta
from bgpctl.install.rights import OPERATOR, READER, ROLES, TITLES, Right, rights_of
from bgpctl.install.rights import SPEAKER as SPEAKS
from bgpctl.install.settings import Options

Document = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"
SECRETS = "bgpctl-speaker-secrets"


def name_of_role(role: str) -> str:
    """As it is called in a cluster."""
    return f"bgpctl-{role}"


def accounts(chosen: Options) -> tuple[Document, ...]:
    """The engine's has no right, and no pod gets a token of it."""
    names = (SPEAKER, ENGINE) if chosen["engine"] == "external" else (SPEAKER,)
    return tuple(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(chosen, name)} for name in names
    )


def roles(chosen: Options) -> Iterator[tuple[str, Document]]:
    """Each with its title."""
    for role in ROLES:
        rights = rights_of(role, chosen["extras"], chosen.namespace)
        for document in roles_of(name_of_role(role), rights):
            place = document["metadata"].get("namespace", "")
            document["metadata"] = meta(chosen, document["metadata"]["name"], place)
            yield f"{role}: {TITLES[role]}", document
    if chosen["authSecrets"]:
        yield "the peers' passwords", _secrets_role(chosen)


def roles_of(name: str, rights: Sequence[Right]) -> Iterator[Document]:
    """A ClusterRole of what is cluster-wide, and a Role in each namespace of the rest."""
    for namespace in sorted({right.namespace for right in rights}):
        kind = "Role" if namespace else "ClusterRole"
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": kind,
            "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "rules": [rule_of(right) for right in rights if right.namespace == namespace],
        }


def rule_of(right: Right) -> Document:
    """A PolicyRule."""
    return {
        "apiGroups": [right.group],
        "resources": list(right.resources),
        **({"resourceNames": list(right.names)} if right.names else {}),
        "verbs": list(right.verbs),
    }


def _secrets_role(chosen: Options) -> Document:
    """A watch of one object by its name is what resourceNames grant."""
    rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": list(chosen["authSecrets"]),
        "verbs": ["list", "watch"],
    }
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": meta(chosen, SECRETS, chosen["authSecretsNamespace"]),
        "rules": [rule],
    }


def bindings(chosen: Options) -> Iterator[Document]:
    """Of the speaker's account, and of those that were named."""
    account = {"kind": "ServiceAccount", "name": SPEAKER, "namespace": chosen.namespace}
    bound = {
        SPEAKS: [account],
        READER: [_subject(text) for text in chosen["readers"]],
        OPERATOR: [_subject(text) for text in chosen["nodeOperators"]],
    }
    for _, role in roles(chosen):
        name = role["metadata"]["name"]
        named = [account] if name == SECRETS else bound[name.removeprefix("bgpctl-")]
        if named:
            yield _binding(chosen, role, named)


def _binding(chosen: Options, role: Document, subjects: list[Document]) -> Document:
    name, namespace = role["metadata"]["name"], role["metadata"].get("namespace", "")
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{role['kind']}Binding",
        "metadata": meta(chosen, name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": role["kind"], "name": name},
        "subjects": subjects,
    }


def _subject(text: str) -> Document:
    """user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME"""
    kind, _, name = text.partition(":")
    if kind == "serviceaccount":
        namespace, _, account = name.partition("/")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"apiGroup": RBAC, "kind": kind.capitalize(), "name": name}

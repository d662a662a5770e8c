"""A speaker may write the BGPNodeState of its own node only: a forged one of another node would tell a drain
that routes are gone that are not. Roles cannot say that; an admission policy can. Pure.

Source: kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy (its example is of pods).
The token of a pod tells its node since Kubernetes 1.30 (ServiceAccountTokenPodNodeInfo).
"""

from __future__ import annotations

from typing import Any

from bgpctl.core.state import GROUP, PLURAL
from bgpctl.install.labels import SPEAKER, meta
from bgpctl.install.settings import Options

Document = dict[str, Any]

NAME = "bgpctl-speaker-own-node"
CLAIM = "authentication.kubernetes.io/node-name"
API = "admissionregistration.k8s.io/v1"
OBJECT = "(request.operation == 'DELETE' ? oldObject.metadata.name : object.metadata.name)"
OWN_NODE = (
    f"has(request.userInfo.extra) && '{CLAIM}' in request.userInfo.extra && "
    f"request.userInfo.extra['{CLAIM}'][0] == {OBJECT}"
)
"""CEL: true for a write of one's own node. A create by POST has no `request.name`, its object has one."""


def policy(chosen: Options) -> tuple[Document, Document]:
    """The policy, and what puts it in force."""
    return _policy(chosen), _binding(chosen)


def _policy(chosen: Options) -> Document:
    user = f"system:serviceaccount:{chosen.namespace}:{SPEAKER}"
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": meta(chosen, NAME, ""),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE", "DELETE"],
                        "resources": [PLURAL, f"{PLURAL}/status"],
                    }
                ]
            },
            "matchConditions": [
                {"name": "by-a-speaker", "expression": f"request.userInfo.username == '{user}'"}
            ],
            "validations": [
                {
                    "expression": OWN_NODE,
                    "message": "a speaker writes the BGPNodeState of its own node only",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _binding(chosen: Options) -> Document:
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": meta(chosen, NAME, ""),
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }

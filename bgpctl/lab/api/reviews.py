"""SelfSubjectReview and SelfSubjectAccessReview: `kubectl auth whoami` and `kubectl auth can-i`. Pure."""

from __future__ import annotations

from typing import Any

from bgpctl.lab.api import auth
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.routes import Target

_WHO = ("authentication.k8s.io", "v1", "selfsubjectreviews")
_MAY = ("authorization.k8s.io", "v1", "selfsubjectaccessreviews")


def concerns(target: Target) -> bool:
    return (target.group, target.version, target.plural) in {_WHO, _MAY}


def answer(target: Target, user: str, body: Any) -> Document:
    """The review with its status. Everybody may ask about themselves."""
    if target.plural == _WHO[2]:
        who = {"userInfo": {"username": user, "groups": ["system:authenticated"]}}
        return _review(target, "SelfSubjectReview", {}, who)
    allowed = user == auth.ADMIN
    reason = "" if allowed else f'User "{user}" has no permissions'
    spec = body.get("spec", {}) if isinstance(body, dict) else {}
    return _review(target, "SelfSubjectAccessReview", spec, {"allowed": allowed, "reason": reason})


def _review(target: Target, kind: str, spec: Document, found: Document) -> Document:
    head: Document = {"kind": kind, "apiVersion": f"{target.group}/{target.version}", "metadata": {}}
    return {**head, **({"spec": spec} if spec else {}), "status": found}

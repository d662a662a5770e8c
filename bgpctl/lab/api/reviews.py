"""SelfSubjectReview and SelfSubjectAccessReview: `kubectl auth whoami` and `kubectl auth can-i`. Pure."""

from __future__ import annotations

from typing import Any

from bgpctl.lab.api import auth
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.rbac import Asked, Roles, groups_of
from bgpctl.lab.api.routes import Target

_WHO = ("authentication.k8s.io", "v1", "selfsubjectreviews")
_MAY = ("authorization.k8s.io", "v1", "selfsubjectaccessreviews")


def concerns(target: Target) -> bool:
    """Is it one of the two? Then it is answered without being kept."""
    return (target.group, target.version, target.plural) in {_WHO, _MAY}


def answer(target: Target, user: str, body: Any, rights: auth.Rights, roles: Roles | None = None) -> Document:
    """The review with its status. Everybody may ask about themselves."""
    if target.plural == _WHO[2]:
        who = {"userInfo": {"username": user, "groups": list(groups_of(user))}}
        return _review(target, "SelfSubjectReview", {}, who)
    spec = body.get("spec", {}) if isinstance(body, dict) else {}
    wanted = spec.get("resourceAttributes") or {}
    resource = "/".join(filter(None, (wanted.get("resource", ""), wanted.get("subresource", ""))))
    names = (wanted.get(field, "") for field in ("namespace", "name"))
    asked = Asked(wanted.get("verb", ""), wanted.get("group", ""), resource, *names)
    allowed = auth.allowed(user, asked, rights, roles)
    reason = "" if allowed else f'User "{user}" has no permissions'
    return _review(target, "SelfSubjectAccessReview", spec, {"allowed": allowed, "reason": reason})


def _review(target: Target, kind: str, spec: Document, found: Document) -> Document:
    head: Document = {"kind": kind, "apiVersion": f"{target.group}/{target.version}", "metadata": {}}
    return {**head, **({"spec": spec} if spec else {}), "status": found}

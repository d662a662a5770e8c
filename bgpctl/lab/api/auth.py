"""Who is asking, and may they? Three bearer tokens: one may do all, one what it was given, one nothing. Every
other user may do what the cluster's Roles grant (`rbac`).

All are real credentials of one run, made at random. Tokens are compared in constant time and never logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bgpctl.lab.api import status
from bgpctl.lab.api.rbac import Asked, Roles
from bgpctl.lab.api.routes import Target

ADMIN = "bgpctl-lab-admin"
PERSON = "bgpctl-lab-person"
NOBODY = "bgpctl-lab-nobody"

Rights = Collection[str]
"""What PERSON may do: `patch nodes`, `create pods/eviction`, with `*` for any."""
EVERYTHING: Rights = ("* *",)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The credentials. Their text stays out of `repr`."""

    admin: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    person: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    nobody: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    others: dict[str, str] = field(default_factory=dict, repr=False)

    def of(self, user: str) -> str:
        """The token of any other user (`system:serviceaccount:NAMESPACE:NAME`), made when first asked for."""
        return self.others.setdefault(user, secrets.token_urlsafe(24))


def authenticate(tokens: Tokens, headers: Mapping[str, str]) -> str:
    """The user's name; raises 401 for a missing or unknown token. The admin alone may
    impersonate, anyone (else 403)."""
    scheme, _, token = (headers.get("Authorization") or "").partition(" ")
    user = _user(tokens, token.strip()) if scheme.lower() == "bearer" else ""
    if not user:
        raise status.unauthorized()
    impersonated = headers.get("Impersonate-User")
    if impersonated and user != ADMIN:
        why = f'User "{user}" cannot impersonate resource "users" in API group "" at the cluster scope'
        raise status.forbidden("", "users", impersonated, why)
    return impersonated or user


def _user(tokens: Tokens, token: str) -> str:
    named = ((tokens.admin, ADMIN), (tokens.person, PERSON), (tokens.nobody, NOBODY))
    for known, user in (*named, *((text, name) for name, text in tuple(tokens.others.items()))):
        if secrets.compare_digest(known.encode(), token.encode("latin-1", "replace")):
            return user
    return ""


def allowed(user: str, asked: Asked, rights: Rights, roles: Roles | None = None) -> bool:
    """`rights` are those of PERSON; `roles` None: nobody else has any, or they are not read yet."""
    if user in (ADMIN, NOBODY):
        return user == ADMIN
    if user == PERSON:
        return any(fnmatchcase(f"{asked.verb} {asked.resource}", right) for right in rights)
    return roles is not None and roles.grant(user, asked)


def authorize(
    user: str, verb: str, target: Target, rights: Rights, roles: Roles | None = None, name: str = ""
) -> None:
    """403 in the words of RBAC, unless the user may. `name`: what a field selector names, where the path
    names nothing."""
    asked = Asked(verb, target.group, target.resource_text, target.namespace, target.name or name)
    if allowed(user, asked, rights, roles):
        return
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = (
        f'User "{user}" cannot {verb} resource "{target.resource_text}" in API group "{target.group}" {where}'
    )
    raise status.forbidden(target.group, target.plural, target.name, why)


def authorize_apply(user: str, target: Target, there: bool, rights: Rights, roles: Roles | None) -> None:
    """A server-side apply of what is not `there` is a create too (k8s.io/apiserver, handlers/patch.go)."""
    if not there:
        authorize(user, "create", target, rights, roles)

"""Who is asking, and may they? Three bearer tokens: one may do all, one what it was given, one nothing.

All are real credentials of one run, made at random. Tokens are compared in constant time and never logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bgpctl.lab.api import status
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


def authenticate(tokens: Tokens, headers: Mapping[str, str]) -> str:
    """The user's name; raises 401 for a missing or unknown token. The admin may impersonate anyone."""
    scheme, _, token = (headers.get("Authorization") or "").partition(" ")
    user = _user(tokens, token.strip()) if scheme.lower() == "bearer" else ""
    if not user:
        raise status.unauthorized()
    impersonated = headers.get("Impersonate-User")
    return impersonated if impersonated and user == ADMIN else user


def _user(tokens: Tokens, token: str) -> str:
    for known, user in ((tokens.admin, ADMIN), (tokens.person, PERSON), (tokens.nobody, NOBODY)):
        if secrets.compare_digest(known.encode(), token.encode("latin-1", "replace")):
            return user
    return ""


def allowed(user: str, verb: str, resource: str, rights: Rights) -> bool:
    """`resource` as in RBAC (`pods/eviction`); `rights` are those of PERSON."""
    wanted = f"{verb} {resource}"
    return user == ADMIN or (user == PERSON and any(fnmatchcase(wanted, right) for right in rights))


def authorize(user: str, verb: str, target: Target, rights: Rights) -> None:
    """403 in the words of RBAC, unless the user may."""
    if allowed(user, verb, target.resource_text, rights):
        return
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = (
        f'User "{user}" cannot {verb} resource "{target.resource_text}" in API group "{target.group}" {where}'
    )
    raise status.forbidden(target.group, target.plural, target.name, why)

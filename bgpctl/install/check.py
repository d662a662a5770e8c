"""What a user may do of all that a role needs: every question to the API server at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.install.rights import INSTALL, INSTALL_RIGHTS, OPERATOR, READER, SPEAKER, Right, rights_of
from bgpctl.install.roles import name_of_role, roles_of
from bgpctl.kube import rights
from bgpctl.kube.client import Client

AT_ONCE = 16
FOR: Mapping[str, str] = {
    "drain": OPERATOR,
    OPERATOR: OPERATOR,
    READER: READER,
    SPEAKER: SPEAKER,
    INSTALL: INSTALL,
}
"""What may be asked about, and whose rights that are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One right: one verb on one resource."""

    right: Right
    allowed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """`role`: whose rights were asked for. What is missing is needed, or `optional`."""

    role: str
    answers: tuple[Answer, ...]

    @property
    def missing(self) -> tuple[Right, ...]:
        """Without which a command refuses."""
        return tuple(one.right for one in self.answers if not one.allowed and not one.right.without)

    @property
    def optional(self) -> tuple[Right, ...]:
        """Without which it goes on."""
        return tuple(one.right for one in self.answers if not one.allowed and one.right.without)

    def grants(self) -> list[dict[str, Any]]:
        """The roles that would give all that is missing."""
        gone = joined((*self.missing, *self.optional))
        return list(roles_of(f"{name_of_role(self.role)}-missing", gone))


def needed(role: str, extras: Sequence[str], namespace: str) -> tuple[Right, ...]:
    """Of a role of the table, or of who installs."""
    return tuple(INSTALL_RIGHTS) if role == INSTALL else rights_of(role, extras, namespace)


def check(client: Client, role: str, extras: Sequence[str] = (), namespace: str = "") -> Report:
    """Asks about each right by itself, many at once. Raises Temporary where the API server is away,
    BgpctlError where it does not say."""
    each = [one for right in needed(role, extras, namespace) for one in right.each()]
    with ThreadPoolExecutor(AT_ONCE, "rights") as pool:
        allowed = list(pool.map(lambda one: _may(client, one), each))
    return Report(role, tuple(map(Answer, each, allowed)))


def _may(client: Client, right: Right) -> bool:
    """A right to some names is asked for of each."""
    verb, resource = right.verbs[0], right.resources[0]
    answers = [
        rights.told(client, verb, right.group, resource, right.namespace, name)
        for name in right.names or ("",)
    ]
    if None in answers:
        raise BgpctlError(
            f"the API server does not say whether you may {right.words}: nothing is known of any right",
            "nothing was changed; ask it by hand: kubectl auth can-i --list",
        )
    return all(answers)


def joined(single: Sequence[Right]) -> tuple[Right, ...]:
    """Verbs on the same resource in one row."""
    verbs: dict[tuple[str, tuple[str, ...], str, tuple[str, ...]], list[str]] = {}
    for one in single:
        verbs.setdefault((one.group, one.resources, one.namespace, one.names), []).extend(one.verbs)
    return tuple(
        Right(tuple(dict.fromkeys(told)), group, resources, "", "", namespace, names)
        for (group, resources, namespace, names), told in verbs.items()
    )

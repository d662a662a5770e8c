"""What a stack needs in the cluster before a drain can make its nodes withdraw: the changes, as values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bgpctl.kube.client import Client, NotFound


@dataclass(frozen=True, slots=True)
class Change:
    """One object. `verb`: create, update, patch, delete, or keep (nothing is to be done). `body`: as it is to
    be; of a patch its operations (RFC 6902)."""

    verb: str
    path: str
    name: str
    why: str
    body: Any = None


def perform(client: Client, changes: Iterable[Change]) -> None:
    """Carry them out. Each is harmless twice; somebody who was faster makes it fail (Conflict)."""
    for change in changes:
        match change.verb:
            case "create":
                client.create(change.path.rpartition("/")[0], dict(change.body or {}))
            case "update":
                client.replace(change.path, dict(change.body or {}))
            case "patch":
                client.patch(change.path, list(change.body or ()), "json")
            case "delete":
                with contextlib.suppress(NotFound):
                    client.delete(change.path)

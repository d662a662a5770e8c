"""Collections that a cluster need not have, or need not show us."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from bgpctl.kube.client import ApiError, Client, NotFound

Document = dict[str, Any]


def served(client: Client, *versions: str) -> Sequence[Document] | None:
    """A collection whose CRD may not be installed; of several versions the first one that is served, None
    where none is."""
    for path in versions:
        with contextlib.suppress(NotFound):
            return client.items(path)
    return None


def optional(client: Client, *versions: str) -> Sequence[Document]:
    """The same; empty where none is served."""
    return served(client, *versions) or ()


def permitted(client: Client, *versions: str) -> Sequence[Document] | None:
    """As `optional`; None where we may not look: what is found without them is still worth having."""
    try:
        return optional(client, *versions)
    except ApiError as error:
        if error.code != 403:
            raise
        return None

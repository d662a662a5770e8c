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


def serves(client: Client, group: str, plural: str) -> bool:
    """Is there such a kind in a cluster that does not let us list it? By discovery, which all may read; True
    where that tells nothing: an API server forbids also what it does not know."""
    try:
        versions = client.get(f"/apis/{group}").get("versions") or ()
        listed = [client.get(f"/apis/{one['groupVersion']}").get("resources") or () for one in versions]
        return any(resource["name"] == plural for resources in listed for resource in resources)
    except NotFound:
        return False
    except (ApiError, KeyError, TypeError, AttributeError):
        return True


def serves_version(client: Client, base: str, plural: str) -> bool:
    """The same of one version, as "/apis/policy/v1"."""
    try:
        return any(one["name"] == plural for one in client.get(base).get("resources") or ())
    except NotFound:
        return False
    except (ApiError, KeyError, TypeError, AttributeError):
        return True


def permitted(client: Client, *versions: str) -> Sequence[Document] | None:
    """As `optional`; None where we may not look: what is found without them is still worth having."""
    try:
        return optional(client, *versions)
    except ApiError as error:
        if error.code != 403:
            raise
        return None

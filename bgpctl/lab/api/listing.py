"""Lists: what a resourceVersion, a limit and a continue token ask for, and the page that answers it.

Source: k8s.io/apiserver/pkg/storage (continue tokens), kubernetes.io/docs/reference/using-api/api-concepts.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, name_of, namespace_of
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.selectors import Selection
from bgpctl.lab.api.store import Store, Stored

_INCONSISTENT = -1
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


@dataclass(frozen=True, slots=True)
class Token:
    """A place in a list: the version it is of, and the last object already sent."""

    version: int
    last: tuple[str, str]

    def encode(self) -> str:
        """As etcd3's continue tokens: base64url of JSON, without padding. Clients hand it back unread."""
        text = json.dumps({"v": "meta.k8s.io/v1", "rv": self.version, "start": "/".join(self.last)})
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_token(text: str) -> Token:
    """The inverse of `Token.encode`; raises 400."""
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = found["start"].partition("/")
        return Token(int(found["rv"]), (namespace, name))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise status.bad_request("continue key is not valid") from error


def page(
    store: Store, resource: Resource, selection: Selection, query: Mapping[str, str]
) -> tuple[list[Stored], Document]:
    """The objects of this page and the list's metadata; raises 400, 410, 504."""
    token = parse_token(query["continue"]) if query.get("continue") else None
    items, version = _listed(store, resource, selection, query, token)
    if token:
        items = [stored for stored in items if _place(stored) > token.last]
    chosen = (stored for stored in items if selection.matches(stored.document))
    limit = number(query, "limit")
    taken = list(islice(chosen, limit or None))
    meta: Document = {"resourceVersion": str(version)}
    if limit and next(chosen, None) is not None:
        meta["continue"] = Token(version, _place(taken[-1])).encode()
        if not selection.selective:
            meta["remainingItemCount"] = _after(items, taken[-1])
    return taken, meta


def _listed(
    store: Store, resource: Resource, selection: Selection, query: Mapping[str, str], token: Token | None
) -> tuple[list[Stored], int]:
    if token and token.version != _INCONSISTENT:
        try:
            return store.list_at(resource.key, token.version, selection.namespace), token.version
        except status.ApiError as error:
            raise _with_fresh_token(error, token) from error
    asked = number(query, "resourceVersion")
    if query.get("resourceVersionMatch") == "Exact" and asked:
        return store.list_at(resource.key, asked, selection.namespace), asked
    items, version = store.all(resource.key, selection.namespace)
    if asked > version:
        raise status.too_large(asked, version)
    return items, version


def _with_fresh_token(error: status.ApiError, token: Token) -> status.ApiError:
    return ContinueExpired(Token(_INCONSISTENT, token.last).encode()) if error.code == 410 else error


class ContinueExpired(status.ApiError):
    """410 whose metadata offer to go on with a list that is no longer of one moment."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", _TOO_OLD)
        self.token = token

    def document(self) -> Document:
        """The Status, with a token that goes on at the same place in what is there now."""
        return {**super().document(), "metadata": {"continue": self.token}}


def _place(stored: Stored) -> tuple[str, str]:
    return namespace_of(stored.document), name_of(stored.document)


def _after(items: Sequence[Stored], last: Stored) -> int:
    return sum(_place(stored) > _place(last) for stored in items)


def number(query: Mapping[str, str], name: str) -> int:
    """A non-negative number of the query, 0 when absent; raises 400."""
    text = query.get(name) or "0"
    if not text.isdigit():
        raise status.bad_request(f"invalid value for {name}: {text!r}")
    return int(text)

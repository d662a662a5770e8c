"""What was made of documents, so that one which has not changed is not read again.

A run looks at the same few objects every second, until one of them changes.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST = 10_000  # twice the nodes of a large cluster


class Unchanged(Generic[T]):
    """`make`, a pure function of a document, whose values are frozen: of the same document it is asked once.

    The same is what has the same content, to the last type (True is not 1) and in the same order; what stands
    in its metadata counts like all else. A resourceVersion would be shorter to compare, but it is a word of
    the server: one that replays, or was restored from a backup and counts anew, says the same of two
    documents that differ. So nobody can bring about an answer that is not `make`'s of the very document that
    was asked about. Of a document only a digest is kept. Of what `make` refuses, nothing is: it is asked
    again.

    No more than `most` values are kept: then all are forgotten. Threads may share one; at worst they make a
    value twice.
    """

    def __init__(self, make: Callable[[Any], T], most: int = MOST) -> None:
        self._make, self._most = make, most
        self._kept: dict[bytes, T] = {}

    def __call__(self, document: Any) -> T:
        try:
            content = sha256(marshal.dumps(document)).digest()
        except ValueError:  # not plain JSON, or too deep
            return self._make(document)
        kept = self._kept
        if content not in kept:
            if len(kept) >= self._most:
                kept = self._kept = {}
            kept[content] = self._make(document)
        return kept[content]

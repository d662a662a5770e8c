"""What was made of documents, so that one which has not changed is not read again.

A run looks at the same few objects every second, until one of them changes.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 10_000  # twice the nodes of a large cluster


def remembered(make: Callable[[Any], T], most: int = MOST) -> Callable[[Any], T]:
    """`make`, a pure function of a document, whose values are frozen: of the same document it is asked once.

    The same is what has the same content, to the last type (True is not 1) and in the same order; what stands
    in its metadata counts like all else. A resourceVersion would be shorter to compare, but it is a word of
    the server: one that replays, or was restored from a backup and counts anew, says the same of two
    documents that differ. Here an answer is `make`'s of the very content that was asked about, whoever wrote
    it. What `make` refuses, it refuses each time. Of the `most` last documents the octets are kept.
    """

    @lru_cache(most)
    def made(content: bytes) -> T:
        return make(marshal.loads(content))  # noqa: S302 our own octets, of a moment ago

    def read(document: Any) -> T:
        try:
            content = marshal.dumps(document)
        except ValueError:  # not plain JSON, or too deep
            return make(document)
        return made(content)

    return read

"""What a router sends, as far as it is looked at: an UPDATE stays octets, which the encoder counts.

ExaBGP makes objects of every attribute and prefix, and ends the session over some that mean nothing to us.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exabgp.bgp.message import Update
from exabgp.bgp.message.update.attribute import Attributes
from exabgp.reactor.api.processes import Processes
from exabgp.reactor.network.connection import Connection
from exabgp.reactor.network.error import NotifyError

BAD_MESSAGE_TYPE = (1, 3)
_TYPES = range(1, 6)
"""OPEN to ROUTE-REFRESH. ExaBGP takes 0 for its own "nothing came", 6 for an experiment."""


def install() -> None:
    """An UPDATE is not taken apart any more; a message of a type that is none is answered with 1/3."""
    # Called with one argument too many for a bad header: the session ends without a NOTIFICATION, and a
    # traceback is all that is told. The NOTIFICATION that it leads to is told anyway.
    Processes.notification = lambda self, *complaint: None
    unread = Update([], Attributes())

    def unpack_message(cls: Any, data: bytes, direction: Any, negotiated: Any) -> Any:
        return unread

    Update.unpack_message = classmethod(unpack_message)
    Connection.reader = _of_known_types(Connection.reader)


def _of_known_types(original: Any) -> Any:
    def reader(self: Any) -> Iterator[Any]:
        for length, kind, header, body, complaint in original(self):
            if length and complaint is None and kind not in _TYPES:
                complaint = NotifyError(*BAD_MESSAGE_TYPE, f"a message of type {kind}")
            yield length, kind, header, body, complaint

    return reader

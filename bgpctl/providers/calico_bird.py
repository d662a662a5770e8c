"""What the BIRD of a node that was made to withdraw says that it still exports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address

from bgpctl.core.calico.bird import (
    CLIENT,
    CONTAINER,
    PROTOCOLS,
    SELECTOR,
    STATUS,
    Told,
    answers,
    question,
    read_sessions,
    settled,
)
from bgpctl.kube.client import Client
from bgpctl.providers.asking import Asking, Say

Sessions = Mapping[str, Told]


class Birds:
    """`told` is empty for whatever reason BIRD's word cannot be had."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._asking = Asking[Sessions](client, SELECTOR, CONTAINER, CLIENT, clock)

    def told(self, node: str, version: str, addresses: Iterable[str]) -> tuple[Sessions, str]:
        """By the peer's address: of every one of these or of none; and who said it."""
        wanted = tuple(addresses)
        if not wanted:
            return {}, ""
        found, by = self._asking.told(node, version, lambda say: _ask(say, wanted))
        return found or {}, by

    def without_session(self, node: str, versions: Iterable[int]) -> str:
        """Who says that it has no session at all, of these IP versions; "" = nobody does."""
        asked = tuple(versions)
        return self._asking.told(node, "", lambda say: _nothing(say, asked))[1] if asked else ""


def _nothing(say: Say, versions: tuple[int, ...]) -> Sessions | None:
    for version in versions:
        text = say(question(version, PROTOCOLS))
        if not answers(text) or read_sessions(text):
            return None
    return {}


def _ask(say: Say, addresses: tuple[str, ...]) -> Sessions | None:
    found: dict[str, Told] = {}
    for version in sorted({ip_address(address).version for address in addresses}):
        if not settled(say(question(version, STATUS))):
            return None
        found |= read_sessions(say(question(version, PROTOCOLS)))
    return {one: found[one] for one in addresses} if found.keys() >= set(addresses) else None

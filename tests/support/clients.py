"""Clients of the embedded API for tests, and what went over the wire."""

from __future__ import annotations

from typing import Any

import urllib3

from bgpctl.kube.client import Client
from bgpctl.kube.config import Access
from bgpctl.lab.api import ApiServer


def client(server: ApiServer, token: str | None = None) -> Client:
    """A client with the administrator's token, or with another one."""
    return plain_client(server.url, server.admin_token if token is None else token)


def plain_client(url: str, token: str = "not-a-real-token") -> Client:
    return Client(Access(url, urllib3.PoolManager(maxsize=32), lambda: f"Bearer {token}"))


class CountingClient(Client):
    """Remembers each request as (method, path, query)."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.sent: list[tuple[str, str, dict[str, str]]] = []

    def _send(self, method: str, path: str, query: Any, *rest: Any, **options: Any) -> Any:
        self.sent.append((method, path, dict(query or {})))
        return super()._send(method, path, query, *rest, **options)

    def lists(self) -> int:
        return sum(method == "GET" and "watch" not in query for method, _, query in self.sent)

    def watches(self) -> int:
        return sum("watch" in query for _, _, query in self.sent)


def counting(server: ApiServer, token: str | None = None) -> CountingClient:
    return CountingClient(client(server, token).access)

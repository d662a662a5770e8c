"""A client whose writes the API server judges, by rights, admission and budgets, and does not keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgpctl.kube.client import Client, Document

ALL = "All"


class DryRun(Client):
    """Reads as any; no write of it changes anything. Raises as Client does."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Document:
        """Of a DELETE with a body the server reads no query: the options have it too."""
        if method != "GET":
            query = {**(query or {}), "dryRun": ALL}
        if method == "DELETE" and body is not None:
            body = {**body, "dryRun": [ALL]}
        return super().request(method, path, query=query, body=body, content_type=content_type)

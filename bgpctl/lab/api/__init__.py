"""The embedded Kubernetes API: a real HTTP(S) server for the lab and for the integration tests.

`from bgpctl.lab.api import ApiServer`. Nothing is imported until that name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bgpctl.lab.api.server import ApiServer

__all__ = ["ApiServer"]


def __getattr__(name: str) -> Any:
    if name == "ApiServer":
        from bgpctl.lab.api.server import ApiServer

        return ApiServer
    raise AttributeError(name)

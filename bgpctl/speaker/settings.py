"""What a user decides about one node's speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bgpctl.core.model import IPAddress


@dataclass(frozen=True, slots=True)
class Settings:
    """`booted_at`: when the machine was booted (epoch seconds), None = not known. `soak`: for how many
    seconds a leave announces the routes with GRACEFUL_SHUTDOWN before it withdraws them; the Node may say
    otherwise. `settle`: for how many seconds what a new session is made of must not have changed.
    """

    source_address: IPAddress | None = None
    next_hops: Sequence[IPAddress] = ()
    leave_reason: str = "node leaves service (bgpctl)"
    booted_at: float | None = None
    withdraw_without_endpoints: bool = False
    damping: bool = True
    soak: float = 0.0
    settle: float = 0.0


DEFAULTS = Settings()

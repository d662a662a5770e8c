"""What the capabilities of an OPEN say about graceful restart, from their octets and bits."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bgpctl.core.bgp.nlri import FAMILIES
from bgpctl.core.model import Family, GracefulRestart

RESTART_STATE = 0x8
NOTIFICATION = 0x4
"""Flag bits of the graceful restart capability (64): R (RFC 4724 section 3) and N (RFC 8538 section 2)."""

FORWARDING = 0x80
"""Flag bit of one of its families: F (RFC 4724 section 3)."""

LONG_LIVED = 71
"""The code of RFC 9494's capability."""


def graceful_restart(seconds: int, flags: int, families: Mapping[Family, int]) -> GracefulRestart:
    """Capability 64: its time, its four bits of flags, the flags of each family."""
    return GracefulRestart(
        restart_time=seconds,
        restart_state=bool(flags & RESTART_STATE),
        notification=bool(flags & NOTIFICATION),
        families=tuple((family, bool(bits & FORWARDING)) for family, bits in families.items()),
    )


def long_lived(capability: bytes, families: Collection[Family]) -> int | None:
    """RFC 9494 section 3.1: AFI, SAFI, flags, 24 bits of seconds, repeated. The longest that touches our
    families; None when none of them is listed."""
    times = []
    for start in range(0, len(capability) - 6, 7):
        numbers = int.from_bytes(capability[start : start + 2]), capability[start + 2]
        if FAMILIES.get(numbers) in families:
            times.append(int.from_bytes(capability[start + 4 : start + 7]))
    return max(times, default=None)

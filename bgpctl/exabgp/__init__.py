"""ExaBGP as the BGP engine: a process of its own release, driven through one small extension."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Whose the ExaBGP process is. OWN: the speaker's; it starts and ends with it, also by kill -9. DETACHED:
    started by a speaker and adopted by the next one. EXTERNAL: somebody else's (`bgpctl speaker engine run`);
    speakers only adopt it."""

    OWN = "own"
    DETACHED = "detached"
    EXTERNAL = "external"

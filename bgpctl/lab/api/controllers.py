"""placeholder"""

from __future__ import annotations

from bgpctl.lab.api.operations import Operations


class Controllers:
    def __init__(self, operations: Operations, *, grace_cap: float, start_delay: float) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...

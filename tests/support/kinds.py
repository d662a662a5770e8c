"""The CRDs of bgpctl and Cilium, read from their files once in a process: to read them takes longer than most
tests that need them."""

from __future__ import annotations

from typing import Any

from bgpctl.lab.seed import crds

KINDS: tuple[dict[str, Any], ...] = tuple(crds())

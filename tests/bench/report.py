"""How a benchmark that needs BIRD ends: its figures as JSON lines, and the verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from bgpctl.lab.routers import find


def report(name: str, figures: Iterable[dict[str, Any]]) -> int:
    """Print every figure; 1 when one is over its limit, 0 without BIRD, which is said."""
    if find.program("bird") is None:
        print(f"the {name} benchmark needs BIRD: apt install bird2", file=sys.stderr)
        return 0
    over = False
    for figure in figures:
        print(json.dumps(figure), flush=True)
        over |= figure["value"] > figure["limit"]
    return int(over)

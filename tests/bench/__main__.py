"""`python -m tests.bench [NAME…]`: every benchmark (tests/bench/bench_*.py), one JSON line per figure.

A benchmark is a module with `main()`, which prints its figures and answers 1 when one is over its limit.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Run those named, or all; 1 when any of them is over its limit."""
    names = [path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py"))]
    chosen = [name for name in names if not wanted or name.removeprefix("bench_") in wanted]
    return max([importlib.import_module(f"tests.bench.{name}").main() for name in chosen], default=2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What no test runs still has to load: benchmarks, the matrix, and what they start in other processes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ROOMS = ("bench", "matrix", "traffic", "stacks", "mutants", "fuzz", "support")
ACT = "__main__", "everything"  # when they are imported
MODULES = [path for room in ROOMS for path in sorted((TESTS / room).rglob("*.py")) if path.stem not in ACT]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_helper_of_the_tests_loads(path: Path) -> None:
    importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))

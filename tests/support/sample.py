"""What CI takes of the big matrices: BGPCTL_SAMPLE=SEED. Without it every test runs with every router.

Each commit is another seed, so that over a few commits every router meets every test; `make test` is the
whole.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

VARIABLE = "BGPCTL_SAMPLE"
ROUTERS_EACH = 2  # and stacks
VARIED = ("router_kind", "helper_kind", "stack")
"""The parameters of tests that name a router or a stack."""


def seed() -> str:
    """The empty text: no sample is asked for."""
    return os.environ.get(VARIABLE, "")


def left_out(tests: Mapping[str, tuple[str, str]], seed: str) -> frozenset[str]:
    """The names of the tests that this seed leaves out, of `name -> (test without its router, router)`:
    all but two of each test's routers."""
    routers: dict[str, set[str]] = defaultdict(set)
    for test, router in tests.values():
        routers[test].add(router)
    kept = {test: _two(test, kinds, seed) for test, kinds in routers.items()}
    return frozenset(name for name, (test, router) in tests.items() if router not in kept[test])


def _two(test: str, routers: Iterable[str], seed: str) -> frozenset[str]:
    kinds = sorted(routers)
    return frozenset(random.Random(f"{seed} {test}").sample(kinds, min(ROUTERS_EACH, len(kinds))))

"""Real routers and stock speakers for interop tests, each on loopback addresses that no other test has.

`router_kind` runs a test once per router (require decides what happens to those that are not installed);
`helper_kind` once per graceful-restart helper;
`workshop` makes routers and speakers, and ends them with the test.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, Router, RouterSpec
from bgpctl.witness.probe import Probe, parse_probe
from tests.support.require import require
from tests.support.stock_exabgp import StockSpeaker

PORT = 1790
# Those that keep the routes of a restarting neighbor (RFC 4724 receiving speaker); the lab's ExaBGP does not.
HELPERS = tuple(kind for kind in routers.KINDS if kind != "exabgp")
ROUTER_ASN = 65000
# One block 127.A.B.0/24 per test: A from the process id, so that parallel runs do not meet.
_blocks = itertools.count(1)


@dataclass(frozen=True)
class Lab:
    """A running router, its probe, and the addresses of its nodes."""

    router: Router
    probe: Probe
    nodes: tuple[Neighbor, ...]


class Workshop:
    """Makes routers and speakers in one short-named directory and on one block of loopback addresses."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self.directory = directory
        self._block = f"127.{32 + os.getpid() % 200}.{next(_blocks) % 256}"
        self._names = itertools.count(1)

    @staticmethod
    @contextmanager
    def running() -> Iterator[Workshop]:
        """A short directory: a socket's path may have 107 characters, and pytest's own are long."""
        directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            yield Workshop(stack, directory)

    def address(self, host: int) -> str:
        return f"{self._block}.{host}"

    def router(self, kind: str, nodes: int = 2, *, internal: bool = False, **spec: Any) -> Lab:
        """A started router with `nodes` neighbors, node N at address .N with AS 65000+N, or `internal`: the
        router's own. `spec` are fields of RouterSpec."""
        asns = itertools.repeat(ROUTER_ASN) if internal else itertools.count(ROUTER_ASN + 1)
        neighbors = tuple(
            Neighbor(self.address(n), asn) for n, asn in zip(range(1, nodes + 1), asns, strict=False)
        )
        host = 100 + next(self._names)
        described = RouterSpec(kind, self.address(host), PORT, ROUTER_ASN, neighbors, **spec)
        router = self._stack.enter_context(routers.make(described))
        router.start(self.directory / f"{kind}{host}")
        return Lab(router, parse_probe(router.probe()), neighbors)

    def speaker(
        self, lab: Lab, node: int = 1, *, restart_time: int | None = None, add_path: bool = False
    ) -> StockSpeaker:
        """A stock ExaBGP that speaks for node N to the lab's router; not started."""
        spec = lab.router.spec
        place = self.directory / f"speaker{node}-{next(self._names)}"
        speaker = StockSpeaker(
            lab.nodes[node - 1],
            spec.address,
            spec.port,
            spec.asn,
            place,
            restart_time=restart_time,
            add_path=add_path,
        )
        return self._stack.enter_context(speaker)


@pytest.fixture(params=routers.KINDS)
def router_kind(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    require(kind)
    return kind


@pytest.fixture(params=HELPERS)
def helper_kind(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    require(kind)
    return kind


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    with Workshop.running() as made:
        yield made

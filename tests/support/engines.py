"""Engines for tests: started in a short directory, ended with the test, and waited for by their bell."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import signal
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from bgpctl.core.intent.diff import Announce, Configure, Synced
from bgpctl.core.model import Attributes, IPAddress, IPNetwork, Observed, Peer, Session
from bgpctl.errors import Temporary
from bgpctl.exabgp import control
from bgpctl.exabgp.engine import Engine
from bgpctl.ports import Mode
from tests.support.bgppeer import BgpPeer
from tests.support.wait import eventually

NODE_ASN = 65001


class EngineUnderTest(Engine):
    """An engine with its bell, and with what it logged."""

    def __init__(self, directory: Path, mode: Mode = Mode.OWN) -> None:
        self.bell = threading.Event()
        self.directory = directory
        self.logged: list[str] = []
        logger = logging.Logger("engine-under-test", logging.DEBUG)
        logger.addHandler(_Keep(self.logged))
        super().__init__(directory, ring=self.bell.set, log=logger, mode=mode)

    def until(self, condition: Callable[[Observed], object], deadline: float = 10.0) -> Observed:
        """The first view that satisfies `condition`; asked again whenever the bell rings."""
        end = time.monotonic() + deadline
        while not condition(seen := self.observed()):
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {deadline:g} s; last seen: {seen}; log: {self.logged[-20:]}"
                )
            self.bell.wait(0.1)
            self.bell.clear()
        return seen

    def session(self, condition: Callable[[Session], object], deadline: float = 10.0) -> Session:
        """The same for the only peer's session."""
        seen = self.until(lambda o: o.sessions and condition(next(iter(o.sessions.values()))), deadline)
        return next(iter(seen.sessions.values()))

    def kill(self) -> None:
        """SIGKILL for the child, as the kernel's memory killer would; returns when the engine knows."""
        assert self._child is not None and self._child.pid is not None
        os.kill(self._child.pid, signal.SIGKILL)
        self.until(lambda seen: not seen.running)

    def start_when_allowed(self, deadline: float = 10.0) -> None:
        """`start`, past the pause that follows a death."""
        end = time.monotonic() + deadline
        while not self.observed().running:
            try:
                self.start()
            except Temporary as refused:
                assert time.monotonic() < end, refused
                self.bell.wait(refused.retry_after)
                self.bell.clear()


class _Keep(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        extra = {k: v for k, v in vars(record).items() if k in ("text", "reason", "pid", "generation")}
        self._lines.append(f"{record.getMessage()} {extra}")


@contextmanager
def engine() -> Iterator[EngineUnderTest]:
    """A started engine. Its directory is short: a unix socket's path is limited."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    under_test = EngineUnderTest(directory / "engine")
    try:
        under_test.start()
        yield under_test
    finally:
        under_test.stop(graceful=True)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def detached() -> Iterator[Callable[..., EngineUnderTest]]:
    """Makes managers of one engine that outlives them. It ends with the block."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    made: list[EngineUnderTest] = []

    def manager(mode: Mode = Mode.DETACHED) -> EngineUnderTest:
        made.append(EngineUnderTest(directory / "engine", mode))
        return made[-1]

    try:
        yield manager
    finally:
        for one in made:
            one.release()
        control.end(directory / "engine", leave=False, reason="the test is over")
        shutil.rmtree(directory, ignore_errors=True)


def peer(
    address: str | IPAddress, port: int, asn: int = 64512, local: str | None = None, **fields: object
) -> Peer:
    """A Peer with lab values; `fields` replace any of them."""
    address = ip_address(address)
    base = Peer(
        f"{NODE_ASN}/{address}",
        str(NODE_ASN),
        address,
        asn,
        NODE_ASN,
        IPv4Address("10.255.0.2"),
        port=port,
        local_address=ip_address(local) if local else None,
        hold_time=9,
        keepalive_time=3,
        restart_time=30,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


# R=0 N=1, 120 s; then IPv4 unicast with F=1 (RFC 4724 section 3, RFC 8538 section 2)
N_BIT = struct.pack("!HHBB", 0x4000 | 120, 1, 1, 0x80)
_hosts = itertools.count(1)


def new_address() -> str:
    """On loopback; no other test has it."""
    return f"127.{20 + os.getpid() % 10}.{os.getpid() // 10 % 256}.{next(_hosts)}"


def new_router(**options: object) -> BgpPeer:
    """A router on an address of its own, with graceful restart and the N bit in its OPEN."""
    return BgpPeer(new_address(), **{"graceful_restart": N_BIT, **options})  # type: ignore[arg-type]


def up(eng: EngineUnderTest, router: BgpPeer, *prefixes: IPNetwork, **fields: object) -> Peer:
    """Configured, announced, synced, and End-of-RIB is out."""
    one = peer(router.address, router.port, **fields)  # type: ignore[arg-type]
    eng.perform(Configure((one,)))
    eng.perform(Announce(one.name, Attributes(), prefixes))
    eng.perform(Synced((one.name,)))
    eng.session(lambda s: s.end_of_rib)
    eventually(lambda: len(router.ends_of_rib(router.sessions)) == 2)
    return one

"""When the reactor's next turn is: at once where something can be read, written or accepted, else when the
next timer is due. ExaBGP looks every few milliseconds, and never rests while a router does not read.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.message import NOP
from exabgp.reactor.loop import Reactor
from exabgp.reactor.peer import ACTION, Peer

from bgpctl.exabgp.extension import pacing, writing

SECOND = 1.0
"""Longest rest: hold and keepalive timers count whole seconds."""
STEP_SECONDS = 0.01
"""Between two steps of an asynchronous task, which says nothing of what it waits for."""

_READ = select.POLLIN | select.POLLPRI


def install() -> None:
    """The reactor rests until something is due, and a session without work ends its turn."""
    Reactor._wait_for_io = _wait_for_io
    Peer.run, Peer._read_ka = _resting(Peer.run), _read_ka


def wake_on_signals() -> None:
    """A signal that only sets a flag ends no `poll` (PEP 475): let the kernel write a byte too."""
    reading, writing_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing_end, warn_on_full_buffer=False)
    _Signals.reading = reading


class _Signals:
    reading = -1


def _resting(original: Any) -> Any:
    def run(self: Any) -> Any:
        """NOW only where a turn has something to do; LATER ends with the socket or with a timer."""
        started = bool(self.generator)
        action = original(self)
        if action == ACTION.LATER and self.generator and not started:
            return ACTION.NOW  # only made, not stepped yet
        if action == ACTION.NOW and self.proto is not None and writing.blocked(self.proto.connection):
            return ACTION.LATER
        return action

    return run


def _read_ka(self: Any) -> Iterator[int]:
    """The router's KEEPALIVE in answer to ours, as ExaBGP reads its OPEN: without asking all the time."""
    for message in self.proto.read_keepalive():
        self.recv_timer.check_ka_timer(message)
        yield ACTION.LATER if message.TYPE == NOP.TYPE else ACTION.NOW


def _wait_for_io(self: Any, milliseconds: int) -> Iterator[int]:
    """In the place of Reactor's. The sockets that are ready need not be told: every peer gets a turn."""
    if milliseconds:
        _rest(self)
    return iter(())


def _rest(reactor: Any) -> None:
    poller = select.poll()
    for descriptor, events in _interests(reactor):
        poller.register(descriptor, events)
    ready = poller.poll(max(0.0, _patience(reactor)) * 1000)
    for descriptor, events in ready:
        if descriptor == _Signals.reading:
            os.read(descriptor, 4096)
        elif not events & (_READ | select.POLLOUT):
            time.sleep(STEP_SECONDS)  # an end that its owner does not look at must not keep us awake


def _interests(reactor: Any) -> Iterator[tuple[int, int]]:
    yield _Signals.reading, _READ
    for descriptor in reactor.processes.fds:
        yield descriptor, _READ
    if reactor.listener.serving:
        for listening in reactor.listener._sockets:
            if listening not in reactor.listener._accepted:
                yield listening.fileno(), _READ
    for peer in reactor._peers.values():
        if peer.socket() != -1:
            yield peer.socket(), _READ | (select.POLLOUT if writing.blocked(peer.proto.connection) else 0)
    for connecting in pacing.CONNECTING:
        if connecting.fd() != -1:
            yield connecting.fd(), select.POLLOUT


def _patience(reactor: Any) -> float:
    """Seconds until something is due."""
    now = time.monotonic()
    if reactor.asynchronous._async:
        return STEP_SECONDS
    dues = [SECOND - now % SECOND]
    for peer in reactor._peers.values():
        if peer.generator is None:
            dues.append(peer._delay._time - now)
        elif peer.generator and not peer._restart:
            dues.append(STEP_SECONDS)  # it leaves, with deadlines of its own
    dues += [connecting.due - now for connecting in pacing.CONNECTING]
    return min(dues) + 0.001

"""`peers status --watch`: the same picture again whenever it changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from bgpctl.cli import observe, wire

if TYPE_CHECKING:
    from bgpctl.kube.client import Client

# Uptimes tick and heartbeats grow old without any event.
LOOK_EVERY = 1.0
LOOK_SELDOM = 3.0


def peers(client: Client, names: Sequence[str], output: str, provider: str | None = None) -> NoReturn:
    """Show sessions until interrupted: redrawn on a terminal, a new block per change elsewhere."""
    from bgpctl import providers

    whose = wire.provider(client, provider).name
    if whose != providers.DEFAULT:
        _looking(client, names, output, provider)
    _watching(client, names, output)


def _looking(client: Client, names: Sequence[str], output: str, provider: str | None) -> NoReturn:
    """Of a stack that itself looks every few seconds only."""
    from time import sleep

    from bgpctl.render.peerwatch import viewer

    with viewer(output) as show:
        while True:
            show(observe.peers(client, names, provider), "")
            sleep(LOOK_SELDOM)


def _watching(client: Client, names: Sequence[str], output: str) -> NoReturn:
    from bgpctl.core.state_document import read_state
    from bgpctl.kube import paths
    from bgpctl.kube.watch import Mirror
    from bgpctl.render.peerwatch import viewer

    bell = threading.Event()
    mirror = Mirror(client, paths.NODE_STATES, bell.set, slim=read_state).start()
    try:
        mirror.synced.wait()
        with viewer(output) as show:
            while True:
                show(observe.picture(client, names, mirror.items()), mirror.problem)
                bell.wait(LOOK_EVERY)
                bell.clear()
    finally:
        mirror.stop()

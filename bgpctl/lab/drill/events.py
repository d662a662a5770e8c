"""What happens in a drill, scenario by scenario: each returns for how long what failed was away.

None = it does not come back. Every event waits until the router has done what it will do, so that traffic
before, meanwhile and after is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bgpctl.core.timing.failures import Scenario, Span
from bgpctl.core.timing.withdrawal import MARGIN
from bgpctl.lab.drill.net import Net
from bgpctl.lab.drill.nodes import NODE
from bgpctl.lab.waiting import until, within

AWAY_SECONDS = 5.0
RUNS_SECONDS = 30.0
# OpenBGPD refuses a peer for 30 s after an error, and longer each time.
BACK_SECONDS = 120.0
# A speaker reads its file every 0.3 s; what it says then needs a moment on its way, and to a mirror.
NOTICED_SECONDS = 2.0

Happening = Callable[[Net, float], Span | None]
"""Given the network, and for how long the router has the routes of a node that stays away, at worst."""


def agent_down(net: Net, worst: float) -> Span:
    """SIGKILL to what speaks BGP; started again after a while."""
    began = time.monotonic()
    net.nodes.kill()
    time.sleep(AWAY_SECONDS)
    return _back(net, began)


def restart(net: Net, worst: float) -> Span:
    """Ended on purpose, and started again at once."""
    began = time.monotonic()
    net.nodes.stop()
    return _back(net, began)


def _back(net: Net, began: float) -> Span:
    """It is there again when its process was started, at best, and when it says so, at worst."""
    best = time.monotonic() - began
    net.nodes.start(NODE)
    until(net.nodes.runs, RUNS_SECONDS, "the speaker runs again")
    worst = time.monotonic() - began
    within(net.forwards, BACK_SECONDS)
    return Span(best, worst)


def deselect(net: Net, worst: float) -> None:
    """The guide's "Shutting Down a Node": the label, a wait as long as estimated, the power."""
    net.nodes.select(False)
    time.sleep(NOTICED_SECONDS + worst)
    net.lab.power_off(net.node)


def power_off(net: Net, worst: float) -> None:
    """Silence, without a word before."""
    net.lab.power_off(net.node)
    _gone(net, worst)


def link_down(net: Net, worst: float) -> None:
    """The router's own: its interface loses the carrier, and the node is behind it."""
    net.lab.cut(net.router)
    _gone(net, worst)


def remote_link_down(net: Net, worst: float) -> None:
    """The node's, behind the switch: all interfaces keep their carrier."""
    net.lab.unplug(net.node)
    _gone(net, worst)


def _gone(net: Net, worst: float) -> None:
    within(lambda: not net.forwards(), worst + MARGIN)


def no_backends(net: Net, worst: float) -> Span:
    """No process answers on any node and no Service has endpoints, for a while."""
    began = time.monotonic()
    for name in net.hosts:
        net.silence(name)
    net.nodes.backends(False)
    time.sleep(AWAY_SECONDS)
    for name in net.hosts:
        net.answer(name)
    net.nodes.backends(True)
    away = time.monotonic() - began
    return Span(away, away + NOTICED_SECONDS)


HAPPENS: dict[Scenario, Happening] = {
    Scenario.AGENT_DOWN: agent_down,
    Scenario.RESTART: restart,
    Scenario.DESELECT: deselect,
    Scenario.POWER_OFF: power_off,
    Scenario.LINK_DOWN: link_down,
    Scenario.REMOTE_LINK_DOWN: remote_link_down,
    Scenario.NO_BACKENDS: no_backends,
}

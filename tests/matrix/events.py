"""What happens to the node, a function per event. Each begins with the event itself: the clock runs then."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.matrix.cells import HOLD_SECONDS, PULL_SECONDS, Event
from tests.matrix.documents import NEW_COMMUNITY, NODE, Policy
from tests.matrix.net import Net
from tests.support.speakers import SpeakerProcess

STOP_SECONDS = 20.0
RESTART_PAUSE = 1.5
NEW_HOLD_SECONDS = HOLD_SECONDS + 3


def edited(policy: Policy) -> Policy:
    """Service a goes, d comes, the PodCIDR's community changes; b and c stay as they are."""
    return replace(policy, services=("b", "c", "d"), community=NEW_COMMUNITY)


def _deselect(net: Net, speaker: SpeakerProcess) -> None:
    net.select(False)


def _shut_down(net: Net, speaker: SpeakerProcess) -> None:
    """The kubelet says why it stops the pods (KEP-2000), and stops them."""
    net.shut_down()
    speaker.signal(signal.SIGTERM)


def _restart(net: Net, speaker: SpeakerProcess, *, pause: float = 0.0, directory: str = "") -> None:
    """SIGTERM, and when it has ended, a new one. `pause` stands for an image that is pulled, `directory` is
    that of a new pod, "" = the same one."""
    speaker.signal(signal.SIGTERM)
    speaker.wait(STOP_SECONDS)
    time.sleep(pause)
    net.speaker(NODE, _engine(speaker), directory)


def _kill(net: Net, speaker: SpeakerProcess, *, start: bool = True) -> None:
    """A kubelet notices and starts it again soon, not at once."""
    speaker.signal(signal.SIGKILL)
    speaker.wait(STOP_SECONDS)
    if start:
        time.sleep(RESTART_PAUSE)
        net.speaker(NODE, _engine(speaker))


def _engine(speaker: SpeakerProcess) -> str:
    return str(speaker.arguments[speaker.arguments.index("--engine") + 1])


def _kill_engine(net: Net, speaker: SpeakerProcess) -> None:
    net.kill_engine()


def _edit_routes(net: Net, speaker: SpeakerProcess) -> None:
    net.set_policy(edited(net.policy))


def _edit_timer(net: Net, speaker: SpeakerProcess) -> None:
    net.set_policy(replace(net.policy, hold=NEW_HOLD_SECONDS))


def _power_off(net: Net, speaker: SpeakerProcess) -> None:
    net.lab.power_off(net.hosts[NODE])


HAPPENS: dict[Event, Callable[[Net, SpeakerProcess], None]] = {
    Event.DESELECT: _deselect,
    Event.SHUTDOWN: _shut_down,
    Event.RESTART: _restart,
    Event.KILL_ENGINE: _kill_engine,
    Event.KILL_SPEAKER: _kill,
    Event.KILL_DETACHED: _kill,
    Event.KILL_FOR_GOOD: partial(_kill, start=False),
    Event.UPGRADE: partial(_restart, pause=PULL_SECONDS, directory="new-pod"),
    Event.UPGRADE_MANAGER: partial(_restart, pause=PULL_SECONDS),
    Event.EDIT_ROUTES: _edit_routes,
    Event.EDIT_TIMER: _edit_timer,
    Event.POWER_OFF: _power_off,
}

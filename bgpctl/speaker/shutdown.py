"""The end of a speaker, carried out: `core/shutdown.py` decides whether it is a leave or a restart.

It fits into Kubernetes' default terminationGracePeriodSeconds (30 s): at most 1 s to look at the Node, 1 s to
ask systemd, 4 s for routers that do not read their withdraws, 5 s for ExaBGP to end, 2 s to publish the last
state. Mostly it takes a fraction of a second. A leave at a stop has no time for a soak.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from bgpctl.core.intent import pacing
from bgpctl.core.intent.diff import Configure, Leave
from bgpctl.core.model import Intent
from bgpctl.core.shutdown import Ending, Signs, ending
from bgpctl.errors import BgpctlError
from bgpctl.ports import Engine, Mode, Source
from bgpctl.speaker import netlink

RESTART_REASON = "speaker stops (bgpctl)"

log = logging.getLogger("bgpctl.speaker")


def decide(intent: Intent | None, source: Source) -> Ending:
    """Leave or restart, by what can be seen now."""
    selected = None if intent is None or intent.undecided else intent.selected
    asked, node = source.last_look()
    return ending(Signs(selected, node, asked, netlink.system_state()))


def shut_down(engine: Engine, end: Ending, leave: Callable[[Leave], None]) -> tuple[str, ...]:
    """End the engine, or let go of one that stays. `leave` performs a Leave. Returns the peers that were
    left; nothing is raised for a leave that fails, which is told in the log."""
    left: tuple[str, ...] = ()
    try:
        left = _to_leave(engine, end)
        if left:
            leave(
                Leave(left, f"node leaves service: {end.reason} (bgpctl)" if end.leaves else RESTART_REASON)
            )
            if engine.mode is Mode.EXTERNAL:
                engine.perform(Configure(()))  # nothing of the peers stays on disk
    except BgpctlError as error:
        log.warning("speaker.leave_failed", extra={"error": error.message})
        left = ()
    finally:
        if engine.mode is Mode.EXTERNAL or (engine.stays and not end.leaves):
            engine.release()
        else:
            engine.stop(graceful=True)
    return left


def _to_leave(engine: Engine, end: Ending) -> tuple[str, ...]:
    """A node that goes away leaves every peer, also those of an engine that was not adopted yet. A restart
    leaves only those whose routers would drop the routes anyway; and none of an engine that stays."""
    if end.leaves:
        with contextlib.suppress(BgpctlError):
            engine.adopt()
        return tuple(sorted(engine.observed().peers))
    return () if engine.stays else pacing.peers_to_leave_on_stop(engine.observed())

"""The cells of one network, one after the other: `python -m tests.traffic.run ROUTER STACK WAY…` prints a
line of JSON for each, and ends with the first that is not in order."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bgpctl.errors import Exit
from bgpctl.lab.traffic.counting import answered, lost
from tests.support.wait import eventually
from tests.traffic.cells import STACKS, Cell, Way
from tests.traffic.counting import complaints
from tests.traffic.net import NODE, UP_SECONDS, Net
from tests.traffic.result import Result

STEADY_SECONDS = 2.0  # of requests before anything happens, and after everything has
BY_HAND_SECONDS = 5.0  # between what somebody does by hand and the power-off: nobody tells them when
DOWN_SECONDS = 20.0  # so long a node stays off, or until the router sends nothing there any more
BOOT_SECONDS = 2.0  # its data plane answers so long after its BGP speaker was started


def measure(net: Net, cell: Cell) -> Result:
    """The node leaves, is off, and comes back. AssertionError: a command failed, or it did not come back."""
    with net.asking() as stop:
        time.sleep(STEADY_SECONDS)
        left_at = time.time()
        LEAVES[cell.way](net, cell)
        net.power_off(NODE)
        endless = not _until(lambda: not net.forwards_to(NODE), DOWN_SECONDS)
        time.sleep(STEADY_SECONDS)
        back_at = time.time()
        net.power_on(NODE)
        time.sleep(BOOT_SECONDS)
        net.start_answering(NODE)
        RETURNS[cell.way](net, cell)
        eventually(lambda: net.serves(NODE), UP_SECONDS, why="its routes are back")
        time.sleep(STEADY_SECONDS)
        requests = stop()
    end = time.time()
    before, leave, back = (
        lost(requests, *span) for span in ((0.0, left_at), (left_at, back_at), (back_at, end))
    )
    found = complaints(cell.promised, before, leave, back, silent=cell.way is Way.POWER_OFF)
    for when, span in (("before it left", (0.0, left_at)), ("after it came back", (back_at, end))):
        if not answered(requests, NODE, *span):
            found.append(f"{NODE} answered nothing {when}")
    return Result(cell.router, cell.stack, cell.way, leave, back, endless, tuple(found))


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return held


# --- the ways -----------------------------------------------------------------------------------------------


def _drain(net: Net, cell: Cell) -> None:
    if not cell.drains:
        _as_told(net, cell)
    else:
        _bgpctl(net, "node", "drain", NODE, "--router-probe", net.probe)


def _restore(net: Net, cell: Cell) -> None:
    if not cell.drains:
        _unlabel(net, cell)
    else:
        _bgpctl(net, "node", "restore", NODE, "--router-probe", net.probe)


def _as_told(net: Net, cell: Cell) -> None:
    """By the words with which a drain refuses: the speaker is stopped, and so many seconds pass."""
    ran = net.bgpctl("node", "drain", NODE, "--router-probe", net.probe)
    told = re.search(r"and wait (\d+) s before it is switched off", ran.out)
    assert ran.code == Exit.BLOCKED and told, (
        f"it did not refuse, but ended with {ran.code}: {ran.err or ran.out}"
    )
    net.label(STACKS[cell.stack].label)
    time.sleep(int(told[1]))


def _bgpctl(net: Net, *words: str) -> None:
    ran = net.bgpctl(*words)
    assert ran.code == 0, f"bgpctl {' '.join(words[:3])} ended with {ran.code}: {ran.err or ran.out}"


def _label(net: Net, cell: Cell) -> None:
    net.label(STACKS[cell.stack].label)
    time.sleep(BY_HAND_SECONDS)


def _unlabel(net: Net, cell: Cell) -> None:
    net.label(STACKS[cell.stack].back)


def _stop(net: Net, cell: Cell) -> None:
    net.stop_engine(NODE)
    time.sleep(BY_HAND_SECONDS)


def _nothing(net: Net, cell: Cell) -> None:
    pass


LEAVES = {Way.DRAIN: _drain, Way.LABEL: _label, Way.STOP: _stop, Way.POWER_OFF: _nothing}
RETURNS = {Way.DRAIN: _restore, Way.LABEL: _unlabel, Way.STOP: _nothing, Way.POWER_OFF: _nothing}


def main(router: str, stack: str, *ways: str) -> int:
    """Exit code 0 when the cells could be run, whatever the verdicts."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: the network is removed
    place = Path(tempfile.mkdtemp(prefix="bgpctl-"))  # short: a socket's path is limited
    with ExitStack() as parts:
        parts.callback(shutil.rmtree, place, ignore_errors=True)
        net = Net(parts, router, stack, place)
        net.come_up()
        for way in map(Way, ways):
            eventually(net.may_be_drained, UP_SECONDS, interval=1, why=f"{NODE} may be drained")
            result = measure(net, Cell(router, stack, way))
            print(result.to_json(), flush=True)
            if result.complaints:
                break
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

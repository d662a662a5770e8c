"""bgpctl in a process of its own: `python -m tests.stacks.command DIES WORDS…`

DIES: kill -9 right after so many writes to the API, 0 = before the first, -1 = never. (Before the n-th is
after the one before it: only reads are in between.) Times that are the stack's own are short, as it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bgpctl.core.calico import nodestatus, states
from bgpctl.core.cilium import copies
from bgpctl.core.cilium import states as cilium_states
from bgpctl.lab.routers.process import die_with_parent
from tests.support.cli import Ran, clean_environment

CADENCE = 1.0  # seconds between two reports of an agent
KILLED = -signal.SIGKILL
SECONDS = 150.0


def hurry() -> None:
    """Cilium's agents report every second here, and copies are of age after one; so are Calico's."""
    cilium_states.LAG = CADENCE + 1
    copies.SETTLE_SECONDS = 1.0
    nodestatus.PERIOD_SECONDS = 1
    nodestatus.WRITING_SECONDS = 0.5
    states.LAG = 1.5


def die_after(writes: int) -> None:
    """Of this process, whichever thread makes them."""
    from bgpctl.kube.client import Client

    send, left = Client._send, [writes]

    def counted(client: Client, method: str, path: str, *rest: Any) -> Any:
        writing = method != "GET" and not path.endswith("reviews")
        if writing and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(client, method, path, *rest)
        if writing:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Client._send = counted  # type: ignore[method-assign]


def start(kubeconfig: Path, *words: str, dies: int = -1) -> subprocess.Popen[str]:
    """It runs, and ends with us; `ended` waits for it. Call it in the main thread."""
    argv = (sys.executable, "-m", "tests.stacks.command", str(dies), *words)
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(kubeconfig),
        preexec_fn=die_with_parent(os.getpid()),
    )


def ended(process: subprocess.Popen[str]) -> Ran:
    """AssertionError where it hangs."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{' '.join(map(str, process.args[4:]))} does not end") from None  # type: ignore[index]
    return Ran(process.returncode, out, err)


def main(dies: str, *words: str) -> int:
    from bgpctl.cli.main import main as bgpctl

    hurry()
    if int(dies) >= 0:
        die_after(int(dies))
    sys.argv = ["bgpctl", *words]
    return int(bgpctl() or 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

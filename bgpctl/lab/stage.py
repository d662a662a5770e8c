"""What a demonstration is made of: commands as a user types them, and expectations that end it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.lab.cluster import Lab

NODE = "worker-1"
COMMAND_SECONDS = 60


def command(lab: Lab, *arguments: str, code: int = 0) -> None:
    """Run one bgpctl command as a user would, its output on our terminal. It must end with that exit code."""
    print(f"\n$ bgpctl {' '.join(arguments)}", flush=True)
    environment = {**os.environ, "KUBECONFIG": str(lab.kubeconfig)}
    argv = [sys.executable, "-m", "bgpctl", *arguments]
    try:
        done = subprocess.run(argv, env=environment, timeout=COMMAND_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BgpctlError(f"bgpctl {' '.join(arguments)} took longer than {COMMAND_SECONDS} s") from None
    expect(done.returncode == code, f"bgpctl {' '.join(arguments)} ended with exit code {done.returncode}")


def document(lab: Lab) -> dict[str, Any]:
    """The Node that the demonstration is about."""
    return lab.client().get(f"/api/v1/nodes/{NODE}")


def expect(holds: bool, otherwise: str) -> None:
    """Raises BgpctlError with this sentence where it does not."""
    if not holds:
        raise BgpctlError(
            f"the demonstration failed: {otherwise}", "please report this with the output above"
        )


def kept(node: str, lowest: int, before: int) -> str:
    """Of a node that nothing was done to. Raises BgpctlError where the router lost any of its routes."""
    expect(lowest >= before > 0, f"{node} fell from {before} to {lowest} routes")
    return f"             {node} kept its routes throughout: never fewer than {lowest}"


def row(offset: float, what: str, who: str) -> str:
    """A line of a timeline."""
    return f"  {offset:+8.3f} s  {what}  [{who}]"

"""What speaks BGP on one node, as a process of its own:

    python -m bgpctl.lab.stacks.alone STACK DIRECTORY NODE ADDRESS ROUTER-ADDRESS [TIMERS]

In the node's namespace, so that a power cut ends all of it. It is a stack of the lab on a site with this node
alone; a controller for all nodes (Cilium's operator) runs on each, and they get along. TIMERS: those of
`spec.Timers`, as a JSON list.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from bgpctl.lab import seed, stacks
from bgpctl.lab.routers import RouterSpec
from bgpctl.lab.stacks.spec import Opening, Timers

PORT = 1790
STARTED = "started"
"""A file in the node's directory, once everything of it runs and speaks BGP."""
LOOK_SECONDS = 0.1


def main(stack: str, directory: str, node: str, address: str, router: str, timers: str = "[]") -> None:
    """Until it is killed."""
    spec = RouterSpec("", router, PORT, seed.ROUTER_ASN, ())
    here, place = stacks.Node(node, address, address), Path(directory)
    told = Timers(*json.loads(timers))
    site = stacks.Site(place, (here,), spec, "", place / "kubeconfig", timers=told)
    running = stacks.choose(stack).make(site)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        running.start()
        while isinstance(running, Opening) and not running.opened():
            time.sleep(LOOK_SECONDS)
        (place / node / STARTED).touch()
        signal.pause()
    finally:
        running.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

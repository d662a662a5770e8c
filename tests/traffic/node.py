"""What speaks BGP on one node: `python -m tests.traffic.node STACK DIRECTORY NODE ADDRESS ROUTER-ADDRESS`.

A process of its own in the node's namespace, so that a power cut ends all of it. It is a stack of the lab on
a site with this node alone; a controller for all nodes (Cilium's operator) runs on each, and they get along.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from bgpctl.lab import seed, stacks
from bgpctl.lab.routers import RouterSpec

PORT = 1790


def main(stack: str, directory: str, node: str, address: str, router: str) -> None:
    """Until it is killed."""
    spec = RouterSpec("", router, PORT, seed.ROUTER_ASN, ())
    here = stacks.Node(node, address, address)
    site = stacks.Site(Path(directory), (here,), spec, "", Path(directory) / "kubeconfig")
    running = stacks.choose(stack).make(site)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        running.start()
        signal.pause()
    finally:
        running.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

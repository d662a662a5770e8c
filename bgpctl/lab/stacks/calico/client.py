"""`birdcl` in the pods of the emulated calico-nodes: what their BIRDs say, as that client prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.core.calico.bird import CLIENT, SOCKETS
from bgpctl.lab.api.exec import Commands, Ended
from bgpctl.lab.stacks.bird import Bird


def played(engines: Mapping[str, Bird]) -> Commands:
    """By node the BIRD that is asked; each is the one for IPv4."""

    def run(pod: dict[str, Any], container: str, words: Sequence[str]) -> Ended:
        if tuple(words[:3]) != (CLIENT, "-s", SOCKETS[4]):
            return "", "Unable to connect to server control socket", 1
        return engines[pod["spec"]["nodeName"]].said(" ".join(words[3:])), "", 0

    return run

"""`vtysh` in the pods of the emulated frr-k8s: what their FRRs say, by the real vtysh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.core.frr_k8s.told import CLIENT, CONTAINER
from bgpctl.errors import Temporary
from bgpctl.lab.api.exec import Commands, Ended
from bgpctl.lab.stacks.bgpd import Bgpd


def played(engines: Mapping[str, Bgpd]) -> Commands:
    """By node the bgpd that is asked."""

    def run(pod: dict[str, Any], container: str, words: Sequence[str]) -> Ended:
        if container != CONTAINER or tuple(words[:2]) != (CLIENT, "-c") or len(words) != 3:
            return "", f"{words[:1]}: not found", 127
        try:
            return engines[pod["spec"]["nodeName"]].said(words[2]), "", 0
        except Temporary as error:
            return "", error.message, 1

    return run

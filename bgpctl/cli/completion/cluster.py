"""The names that only the cluster knows, and how kubectl is asked for them: 0.1 s, where Python and a client
of its own would take four times that. What it does not say within a second is not offered."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 1
KEPT_SECONDS = 10
FLAGS = ("--context", "--kubeconfig")
"""Those of a command line that kubectl is given too."""


@dataclass(frozen=True, slots=True)
class Names:
    """`asked`: kubectl's words, one question after the other. `prefix` stands before each name it tells."""

    asked: tuple[tuple[str, ...], ...]
    prefix: str = ""


def _json(kind: str, path: str) -> tuple[str, ...]:
    return ("get", kind, "-o", f'jsonpath={{range .items[*].{path}[*]}}{{.peerAddress}}{{"\\n"}}{{end}}')


NAMES = {
    "node": Names((("get", "nodes", "-o", "name"),), "node/"),
    "namespace": Names((("get", "namespaces", "-o", "name"),), "namespace/"),
    "context": Names((("config", "get-contexts", "-o", "name"),)),
    "peer": Names(
        (
            _json("bgpnodestates.bgpctl.io", "status.peers"),
            _json("ciliumbgpnodeconfigs.cilium.io", "spec.bgpInstances[*].peers"),
        )
    ),
}

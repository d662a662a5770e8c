"""The intent of one worker node in tests: build its world, compile, look at the result."""

from __future__ import annotations

from typing import Any

from bgpctl.core.intent import ClusterObjects, compile_intent
from bgpctl.core.model import Intent
from tests.kit.objects import node, policy

PEER = "65001/127.0.0.100"
POD_CIDRS = {"10.244.1.0/24", "fd00:10:244:1::/64"}


def world(*services: Any, slices: Any = (), policies: Any = None, **fields: Any) -> ClusterObjects:
    return ClusterObjects(
        node=fields.pop("node", node()),
        policies=[policy()] if policies is None else policies,
        services=services,
        endpoint_slices=slices,
        **fields,
    )


def compiled(*services: Any, **fields: Any) -> Intent:
    return compile_intent(world(*services, **fields), "worker-1")


def prefixes(intent: Intent, peer: str = PEER) -> set[str]:
    return {str(prefix) for prefix in intent.routes[peer]}


def absences(intent: Intent) -> set[tuple[str, str, str]]:
    return {(a.origin, str(a.prefix or ""), a.reason) for a in intent.absent}

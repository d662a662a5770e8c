"""The intent of one worker node in tests: build its world, compile, look at the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bgpctl.core.drain.vips import Vip, vips
from bgpctl.core.intent.compile import ClusterObjects, compile_intent
from bgpctl.core.intent.endpoints import read_shared
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Intent
from tests.support.objects import node, policy

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


def seen(intents: Iterable[Intent], services: Iterable[Any], slices: Iterable[Any]) -> tuple[Vip, ...]:
    """`vips` of documents."""
    return vips(intents, [read_service(s) for s in services], [read_shared(s) for s in slices])


def compiled(*services: Any, **fields: Any) -> Intent:
    return compile_intent(world(*services, **fields), "worker-1")


def prefixes(intent: Intent, peer: str = PEER) -> set[str]:
    return {str(prefix) for prefix in intent.routes[peer]}


def absences(intent: Intent) -> set[tuple[str, str, str]]:
    return {(a.origin, str(a.prefix or ""), a.reason) for a in intent.absent}

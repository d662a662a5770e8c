"""Read what the pods of a BGP stack serve as metrics, through the API server's proxy.

An endpoint that cannot be read is named with the reason; it costs nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bgpctl.core.exposition import Exposition, Sample, read
from bgpctl.core.reading.documents import name_of, namespace_of, node_of
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.providers.pods import Endpoint, Pods, endpoints

AT_ONCE = 8
LONGEST_REASON = 400  # characters: it may be a pod that words it
RIGHT = "get pods/proxy"
NOTHING = Exposition(())
NO_BGP = "it serves no BGP metrics: is BGP on there?"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one endpoint told. `reason`: why it told nothing, "" = it did; `missing`: the right that is not
    ours. `pod` "" = the node has none."""

    node: str
    pod: str = ""
    port: int = 0
    told: Exposition = NOTHING
    reason: str = ""
    missing: str = ""

    @property
    def name(self) -> str:
        """For messages."""
        port = f" port {self.port}" if self.port else ""
        return f"{self.node}: pod {self.pod}{port}" if self.pod else self.node


@dataclass(frozen=True, slots=True)
class Report:
    """Of all endpoints, by node. `prefixes`: how the names begin, as `providers.pods.Pods` has them."""

    answers: tuple[Answer, ...]
    prefixes: tuple[str, ...]

    @property
    def samples(self) -> tuple[tuple[str, Sample], ...]:
        """Each with its node."""
        return tuple((one.node, sample) for one in self.answers for sample in one.told.samples)

    @property
    def unread(self) -> tuple[Answer, ...]:
        """What could not be read, and what was read in part only."""
        return tuple(one for one in self.answers if one.reason)


def metrics(client: Client, stacks: Sequence[Pods], nodes: Collection[str]) -> Report:
    """Of every pod of these stacks, on these nodes (none = all). Raises BgpctlError when there is no pod, and
    when the pods cannot be listed."""
    selectors = [selector for stack in stacks for selector in stack.selectors]
    asked = {
        (namespace_of(pod), name_of(pod)): (pod, stack)
        for stack in stacks
        for selector in stack.selectors
        for pod in client.items(paths.PODS, labelSelector=selector)
        if stack.counts(pod) and (not nodes or node_of(pod) in nodes)
    }
    if not asked:
        where = f" on {', '.join(sorted(nodes))}" if nodes else ""
        raise BgpctlError(
            f"no pod with labels {' or '.join(selectors)}{where}",
            "choose who speaks BGP with --provider; see `bgpctl providers`",
        )
    with ThreadPoolExecutor(AT_ONCE, "metrics") as pool:
        found = [
            one for told in pool.map(lambda pair: tuple(_ask(client, *pair)), asked.values()) for one in told
        ]
    silent = sorted({*nodes} - {one.node for one in found})
    found += [Answer(node, reason=f"no pod with labels {' or '.join(selectors)}") for node in silent]
    prefixes = tuple(dict.fromkeys(prefix for stack in stacks for prefix in stack.prefixes))
    return Report(tuple(sorted(found, key=lambda one: (one.node, one.pod, one.port))), prefixes)


def _ask(client: Client, pod: Document, stack: Pods) -> Iterator[Answer]:
    """Every endpoint of a pod."""
    node, name = node_of(pod) or "(no node)", f"{namespace_of(pod)}/{name_of(pod)}"
    status = pod.get("status")
    phase = status.get("phase") if isinstance(status, Mapping) else None
    if isinstance(phase, str) and phase != "Running":
        yield Answer(node, name, reason=f"it is {phase}")
        return
    listed = tuple(endpoints(stack, pod))
    if not listed:
        yield Answer(node, name, reason="none of its containers is known to serve metrics")
    found = [_answer(client, pod, one, Answer(node, name, one.port), stack.prefixes) for one in listed]
    if any(one.told.samples for one in found):  # of MetalLB's two, the one beside its FRR has them
        found = [one for one in found if one.reason != NO_BGP]
    yield from found


def _answer(
    client: Client, pod: Document, endpoint: Endpoint, of: Answer, prefixes: tuple[str, ...]
) -> Answer:
    node, name, port = of.node, of.pod, of.port
    if not port:
        return Answer(node, name, reason="its metrics are off, or their port is not told")
    try:
        text = client.text(paths.pod_metrics(namespace_of(pod), name_of(pod), port, endpoint.https))
    except ApiError as error:
        return Answer(node, name, port, reason=_refused(error)[:LONGEST_REASON], missing=_missing(error))
    except BgpctlError as error:
        return Answer(node, name, port, reason=error.message[:LONGEST_REASON])
    told = read(text.split("\n"), prefixes)
    return Answer(node, name, port, told, _doubt(told))


def _missing(error: ApiError) -> str:
    """The right that the API server itself says is missing."""
    return RIGHT if error.code == 403 and error.status.get("kind") == "Status" else ""


def _refused(error: ApiError) -> str:
    """A refusal may be the API server's, or of what it passed the request on to, which has no Status."""
    if error.status.get("kind") == "Status":
        return error.message
    if error.code in (401, 403):
        return f"it asks for a credential of its own (HTTP {error.code}), which the proxy does not pass on"
    return f"it answers HTTP {error.code}: {error.message}"


def _doubt(told: Exposition) -> str:
    """Why not all of an answer may be believed, "" = it may."""
    if told.more:
        return f"{told.more} samples beyond the first {len(told.samples)} are left out"
    if told.bad:
        return f"{told.bad} of its lines are no metrics"
    return "" if told.samples else NO_BGP

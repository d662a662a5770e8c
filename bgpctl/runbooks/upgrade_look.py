"""What an upgrade of the speakers looks at: their DaemonSet, its containers, and the nodes that are left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl import providers
from bgpctl.core.drain.restart import refusals, takes_engine
from bgpctl.core.preflight.rollout import ANNOTATION, Container, Rollout, chosen, outdated, rollout
from bgpctl.core.reading.documents import annotations_of, labels_of, name_of, namespace_of, node_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import LabelSelector, parse_selector
from bgpctl.errors import Blocked, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.lease import NAMESPACE
from bgpctl.providers.stack import lacking
from bgpctl.runbooks.command_line import BARE, CommandLine
from bgpctl.runbooks.journal import Journal, load
from bgpctl.runbooks.objects import no_such_node
from bgpctl.runbooks.options import DEFAULT_TIMEOUT, RestartOptions

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """`nodes`: only these, () = all on which it runs. `containers` that get the image, () = as `chosen` has
    it. `timeout`: seconds for one node, and for the pulls. The rest is as in RestartOptions."""

    image: str
    pod_selector: str
    namespace: str = ""
    nodes: Sequence[str] = ()
    containers: Sequence[str] = ()
    expected: float = 30.0
    allow_route_loss: bool = False
    timeout: float = DEFAULT_TIMEOUT
    probes: tuple[str, ...] = ()
    take_over: bool = False
    typed: CommandLine = BARE

    def restart_of(self, node: str, one: Rollout) -> RestartOptions:
        """What its journal keeps is enough for `speaker restart` to go on with it."""
        return RestartOptions(
            node,
            pod_selector=one.selector,
            namespace=one.namespace,
            expected=self.expected,
            allow_route_loss=self.allow_route_loss,
            timeout=self.timeout,
            probes=self.probes,
            take_over=self.take_over,
            typed=self.typed,
            asked={"--pod-selector": (one.selector,), "--namespace": (one.namespace,)},
        )


@dataclass(frozen=True, slots=True)
class Left:
    """The nodes to restart, and those that are left out and keep what they run. `before`: those that run the
    image already, by an earlier run or whoever."""

    todo: tuple[str, ...]
    out: tuple[str, ...]
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """Reads, and changes nothing."""

    client: Client
    options: UpgradeOptions

    def daemon_set(self) -> Rollout:
        """The one that runs our speakers, as it is now. Raises Blocked where there is not exactly one that
        can be read."""
        wanted = parse_selector(self.options.pod_selector)
        found = [one for one in self.client.items(paths.DAEMONSETS) if self._runs(one, wanted)]
        one, *more = found or (None,)
        if one is None or more:
            names = ", ".join(f"{namespace_of(one)}/{name_of(one)}" for one in found) or "none"
            raise Blocked(
                f"exactly one DaemonSet must run the speakers ({self.options.pod_selector}); found: {names}",
                "choose it with --pod-selector and --namespace",
            )
        try:
            return rollout(one)
        except Unreadable as error:
            name, namespace = name_of(one), namespace_of(one)
            forget = ""
            if ANNOTATION in annotations_of(one):
                command = f"kubectl annotate daemonset {name} -n {namespace} {ANNOTATION}-"
                forget = f"to forget the update strategy that an earlier upgrade kept there: {command}"
            raise Blocked(f"DaemonSet {namespace}/{name} cannot be read: {error.message}", forget) from None

    def _runs(self, document: Document, wanted: LabelSelector) -> bool:
        spec = document.get("spec")
        template = spec.get("template") if isinstance(spec, Mapping) else None
        if not isinstance(template, Mapping) or self.options.namespace not in ("", namespace_of(document)):
            return False
        return wanted.matches(labels_of(template))

    def containers(self, one: Rollout) -> tuple[Container, ...]:
        """Those that get the image. Raises UsageError where that is not clear."""
        named, names = self.options.containers, [container.name for container in one.containers]
        if strange := [name for name in named if name not in names]:
            raise UsageError(
                f"{one.where} has no container {', '.join(strange)}", f"it has {', '.join(names)}"
            )
        found = chosen(one, self.options.image, named)
        if not found:
            told = ", ".join(f"{container.name} ({container.image})" for container in one.containers)
            raise UsageError(
                f"which container of {one.where} gets {self.options.image}? It has {told}",
                "choose with --container",
            )
        return found

    def left(self, one: Rollout, containers: Sequence[Container]) -> Left:
        """Raises UsageError for a node that does not exist, or on which it does not run."""
        pods, nodes = self._pods(one), self.client.items(paths.NODES)
        running = {node for pod in pods if (node := node_of(pod))}
        old = {*self._outdated(pods, containers), *(running & set(_begun(nodes)))}
        asked, known = self.options.nodes, {name_of(node) for node in nodes}
        if missing := [name for name in asked if name not in known]:
            raise no_such_node(*missing, known=known)
        if missing := [name for name in asked if name not in running]:
            raise UsageError(f"{one.where} has no pod on {', '.join(missing)}", "see `kubectl get pods -A`")
        wanted = old & set(asked) if asked else old
        return Left(tuple(sorted(wanted)), tuple(sorted(old - wanted)), tuple(sorted(running - old)))

    def refusals(self, nodes: Sequence[str], one: Rollout) -> tuple[str, ...]:
        """Why a restart of these would lose routes, found before anything is changed: each is asked again
        when it is its turn. Not of those that are being restarted already."""
        provider, now = providers.named(self.client, providers.DEFAULT), self.client.present()
        states = {state.node: state for state in provider.states(providers.few(nodes)) or ()}
        begun = set(_begun(self.client.items(paths.NODES)))
        return tuple(
            f"{node}: {reason}"
            for node in nodes
            if node not in begun
            for reason in refusals(states.get(node), now, self.options.expected, pod=takes_engine(one.labels))
        )

    def taken(self, nodes: Sequence[str]) -> Mapping[str, str]:
        """Those of the nodes that a drain or a restore has, and which one: no restart is for them."""
        found = _journals(self.client.items(paths.NODES))
        return {
            name: f"{journal.command} {journal.run} has the node"
            for name, journal in found
            if name in nodes and journal.command != "restart"
        }

    def outdated(self, one: Rollout, containers: Sequence[Container]) -> tuple[str, ...]:
        """The nodes on which a pod of it runs another image."""
        return tuple(sorted(self._outdated(self._pods(one), containers)))

    def is_old(self, one: Rollout, containers: Sequence[Container], node: str) -> bool:
        """Does a pod of it on this node run another image?"""
        return node in self._outdated(self._pods(one), containers)

    def _outdated(self, pods: Sequence[Document], containers: Sequence[Container]) -> set[str]:
        return set(outdated(pods, {container.name: self.options.image for container in containers}))

    def _pods(self, one: Rollout) -> Sequence[Document]:
        path = f"/api/v1/namespaces/{paths.named(one.namespace)}/pods"
        return self.client.items(path, labelSelector=one.selector)

    def check(self, one: Rollout) -> None:
        """Raises Blocked where a right is missing."""
        here = one.namespace
        needed = (
            ("patch", "apps", "daemonsets", here),
            *((verb, "", "pods", here) for verb in ("create", "list", "delete")),
            ("patch", "", "nodes", ""),
            ("create", "coordination.k8s.io", "leases", NAMESPACE),
        )
        if missing := lacking(self.client, needed):
            raise Blocked(f"the right to {', '.join(missing)} is missing", "ask for it")


def _begun(nodes: Sequence[Document]) -> Iterator[str]:
    """The nodes on which a restart is not at its end."""
    return (name for name, journal in _journals(nodes) if journal.command == "restart")


def _journals(nodes: Sequence[Document]) -> Iterator[tuple[str, Journal]]:
    for node in nodes:
        try:
            journal = load(node["metadata"].get("annotations"), name_of(node))
        except Blocked:
            continue  # its own restart refuses it
        if journal is not None:
            yield name_of(node), journal

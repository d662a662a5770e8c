"""`preflight upgrade`: would an upgrade of what speaks BGP end before routers drop the routes, node by node?

What is told of the nodes, what is measured on them, and the verdicts (`core.preflight.verdict`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bgpctl import providers
from bgpctl.core.doctor import reading
from bgpctl.core.doctor.facts import Facts, Met
from bgpctl.core.model import SessionState
from bgpctl.core.preflight.observed import observed
from bgpctl.core.preflight.verdict import Case, Judged, Measured, Peering, Verdict, Word, judge
from bgpctl.core.reading.documents import name_of, namespace_of, node_of
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.core.timing.forecast import uncovered
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile, find_profile
from bgpctl.errors import BgpctlError, Blocked, Exit, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.asking import on_host
from bgpctl.providers.pods import TABLE
from bgpctl.providers.stack import lacking
from bgpctl.queries.doctor_routers import ask_all, matched
from bgpctl.queries.estimates import refuse_strangers
from bgpctl.runbooks import cluster
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.command_line import BARE, CommandLine
from bgpctl.runbooks.objects import no_such_node
from bgpctl.runbooks.preflight.canary import LIFT, Canary
from bgpctl.runbooks.preflight.pulls import Pulled, Pulls, Say
from bgpctl.witness.probe import Probe

NAMESPACE = "kube-system"  # where no pod tells another
NOT_READY = "the node is not Ready: no kubelet would pull it"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked. `nodes`, `selector`: which (both empty: those on which the stack runs).
    `namespace` of the pods that pull, "" = the stack's own. `pod_selector` of the pods that speak BGP, "" =
    as the stack's own manifests label them. `canary`: the node to restart it on, "" = none. `timeout` in
    seconds; `profiles` by the router's address."""

    image: str
    nodes: Sequence[str] = ()
    selector: str = ""
    namespace: str = ""
    pod_selector: str = ""
    canary: str = ""
    allow_route_loss: bool = False
    timeout: float = 600.0
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    probes: Sequence[Probe] = ()
    typed: CommandLine = BARE


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts, by node. `late`: the nodes on which time was up. `canary`: the node that was restarted,
    "" = none. `some`: only these nodes were asked about. `typed`: the command that asked."""

    image: str
    provider: str
    judged: tuple[Judged, ...]
    late: tuple[str, ...] = ()
    canary: str = ""
    some: bool = False
    typed: CommandLine = BARE

    @property
    def exit_code(self) -> Exit:
        """0 only where every node is known to fit."""
        if self.late:
            return Exit.DEADLINE
        fit = all(one.verdict is Verdict.FITS for one in self.judged)
        return Exit.DONE if fit else Exit.FAILED


def preflight(client: Client, provider: Provider, asked: Asked, say: Say) -> Report:
    """Pulls the image on every node, restarts the canary if there is one, and judges. Raises UsageError for
    what does not exist, Blocked for what may not be done; then no pod of it is left."""
    look = _Look(client, provider, asked)
    look.check()
    clock, run = Clock(client), secrets.token_hex(4)
    until = clock.monotonic() + asked.timeout
    canary = look.canary(clock, until, run)
    with Pulls(client, clock, look.namespace, asked.image, run, until, say, look.secrets) as pulls:
        nodes = "1 node" if len(look.ready) == 1 else f"{len(look.ready)} nodes"
        say(f"pulling {asked.image} on {nodes}, pods in namespace {look.namespace}")
        pulled = dict(_told(pulls, look.ready, say))
    late = list(pulls.late)
    restarted = None
    if canary is not None and not late:
        say(f"restarting what speaks BGP on the canary {canary.node}")
        restarted = canary.restart()
    look.again()
    judged = tuple(judge(look.case(name, pulled.get(name), asked.canary, restarted)) for name in look.nodes)
    on = asked.canary if restarted else ""
    some = bool(asked.nodes or asked.selector)
    return Report(asked.image, provider.name, judged, tuple(late), on, some, asked.typed)


def _told(pulls: Pulls, nodes: Sequence[str], say: Say) -> Iterator[tuple[str, Pulled]]:
    for node, one in pulls.on(nodes):
        seconds = one.took.seconds
        say(f"{node}: {'not pulled' if seconds is None else f'pulled in {seconds:.1f} s'}")
        yield node, one


def _selectors(provider: str) -> Sequence[str]:
    """Of the pods that speak BGP. Raises UsageError where nobody knows which they are."""
    if (known := TABLE.get(provider)) is not None:
        return known.selectors
    if flags := " or ".join(f"--provider {name}" for name in provider.split(" and ") if name in TABLE):
        raise UsageError(f"{provider} both speak BGP here: whose image is it?", f"say {flags}")
    raise UsageError(f"in which pods {provider} speaks BGP is not known", "choose them with --pod-selector")


class _Look:
    """One look at the cluster. `nodes`: the names of those that are judged; `ready`: those that can pull."""

    def __init__(self, client: Client, provider: Provider, asked: Asked) -> None:
        self._client, self._provider, self._asked = client, provider, asked
        selectors = (asked.pod_selector,) if asked.pod_selector else _selectors(provider.name)
        self._documents = {name_of(one): one for one in client.read_list(paths.NODES, {}, cluster.slim)[0]}
        self._pods = self._running(selectors)
        self._states = self._now()
        self.nodes = self._named()
        facts = {name: reading.read_node(self._documents[name]) for name in self.nodes}
        self.ready = tuple(name for name in self.nodes if facts[name].ready is not False)
        self.namespace = asked.namespace or next(map(namespace_of, self._all_pods()), NAMESPACE)
        self._facts = tuple(facts.values())
        self._met = self._routers(self._facts)

    def again(self) -> None:
        """What is told of the sessions, as it is now: pulls take minutes, in which they may have changed."""
        self._states = self._now()
        self._met = self._routers(self._facts)

    def _now(self) -> dict[str, NodeState]:
        return {state.node: state for state in self._provider.states(self._asked_for()) or ()}

    # -- which

    def _asked_for(self) -> Sequence[str]:
        """The nodes whose state alone is needed, () = everybody's."""
        wanted = (*self._asked.nodes, *filter(None, (self._asked.canary,))) if self._asked.nodes else ()
        return providers.few(wanted)

    def _running(self, selectors: Sequence[str]) -> Mapping[str, Sequence[Document]]:
        """The pods that speak BGP, by node; each once. Labels that everybody knows anybody may give: by those
        only what is in its node's own network counts."""
        found: dict[str, dict[str, Document]] = {}
        for selector in selectors:
            for pod in self._client.items(paths.PODS, labelSelector=selector):
                if not (self._asked.pod_selector or on_host(pod)):
                    continue
                if node := node_of(pod):
                    found.setdefault(node, {})[f"{namespace_of(pod)}/{name_of(pod)}"] = pod
        return {node: tuple(pods.values()) for node, pods in found.items()}

    def _all_pods(self) -> Iterator[Document]:
        return (pod for name in self.nodes for pod in self._pods.get(name, ()))

    def _named(self) -> tuple[str, ...]:
        asked, canary = self._asked, filter(None, (self._asked.canary,))
        if missing := [name for name in (*asked.nodes, *canary) if name not in self._documents]:
            raise no_such_node(*missing, known=self._documents)
        if asked.nodes:
            return tuple(dict.fromkeys(asked.nodes))
        if asked.selector:
            found = [name_of(one) for one in self._client.items(paths.NODES, labelSelector=asked.selector)]
            if not found:
                raise UsageError(
                    f"no node has the labels {asked.selector}", "see `kubectl get nodes --show-labels`"
                )
            return tuple(sorted(found))
        speaking = {name for name, state in self._states.items() if state.peers or state.unreadable}
        here = sorted((self._pods.keys() | speaking) & self._documents.keys())
        if not here:
            raise BgpctlError(
                f"{self._provider.name} runs on no node that can be seen", "name some with --nodes or -l"
            )
        return tuple(here)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the stack's own pods log in with at their registry, where it can be used: a Secret is its
        namespace's."""
        found: dict[str, None] = {}
        for pod in self._all_pods():
            if namespace_of(pod) == self.namespace:
                listed = pod["spec"].get("imagePullSecrets")
                for one in listed if isinstance(listed, list) else ():
                    if isinstance(one, Mapping) and isinstance(one.get("name"), str):
                        found[one["name"]] = None
        return tuple(found)

    def check(self) -> None:
        """Raises Blocked where a right is missing, UsageError for a profile of a router that no node has."""
        known = [peer.address for name in self.nodes for peer in self._peers(name)]
        refuse_strangers("--peer-profile", self.nodes, self._asked.profiles, known)
        verbs = ("create", "list", "delete")
        needed = tuple((verb, "", "pods", self.namespace) for verb in verbs)
        if missing := lacking(self._client, needed):
            raise Blocked(
                f"the right to {', '.join(missing)} in namespace {self.namespace} is missing",
                "nothing was changed; ask for it, or choose another namespace with --namespace",
            )

    # -- what is told

    def _peers(self, name: str) -> Sequence[PeerState]:
        state = self._states.get(name)
        return state.peers if state else ()

    def _routers(self, nodes: Sequence[Any]) -> Mapping[tuple[str, str], Met]:
        """What the routers that can be asked say, by node and the peer's name."""
        if not self._asked.probes:
            return {}
        facts = Facts(self._client.present(), nodes=nodes, states=self._states)
        met = matched(facts, ask_all(self._asked.probes)).routers or ()
        return {(one.node, one.peer.name): one for one in met}

    def _peering(self, name: str, peer: PeerState) -> Peering:
        met = self._met.get((name, peer.name))
        profile = self._asked.profiles.get(peer.address)
        if profile is None:
            profile = find_profile(met.side.kind) if met else UNKNOWN_ROUTER
        state = peer.session.state
        down = "" if state in (SessionState.ESTABLISHED, SessionState.UNKNOWN) else str(state)
        return Peering(
            facts_from_state(peer),
            profile,
            uncovered(peer),
            helps=met.side.graceful if met else None,
            cap=met.side.stale_cap if met else None,
            down=down,
        )

    def _doubt(self, name: str) -> str:
        """Why what is told of its sessions is not of now."""
        state = self._states.get(name)
        if state is None:
            told = self._provider.facts(self._documents[name])
            return "nobody tells of its sessions, and it should have some" if told else ""
        if state.unreadable:
            return f"what its speaker published cannot be read: {state.unreadable}"
        now = self._client.present()
        return f"its speaker has not reported for {now - state.last_seen:.0f} s" if state.stale(now) else ""

    def _told_of(self, name: str) -> Case:
        peers = tuple(self._peering(name, peer) for peer in self._peers(name))
        return Case(name, peers=peers, doubt=self._doubt(name))

    # -- what is measured

    def canary(self, clock: Clock, until: float, run: str) -> Canary | None:
        """The one that was asked for. Raises Blocked where its restart would lose routes, or might, or could
        not be measured."""
        name = self._asked.canary
        if not name:
            return None
        told = self._told_of(name)
        lost = [one.why for one in judge(told).patience if not one.seconds]
        lost += [told.doubt] if told.doubt else []
        if lost and not self._asked.allow_route_loss:
            raise Blocked(
                f"a restart of the canary {name} may lose routes: {'; '.join(lost)}",
                f"nothing was changed; to restart it anyway: {self._asked.typed.with_flags([LIFT])}",
            )
        found = Canary(self._client, clock, self._provider, name, self._pods.get(name, ()), until, run)
        found.check()
        return found

    def case(self, name: str, pulled: Pulled | None, canary: str, restarted: Measured | None) -> Case:
        """All that is known of it. The canary's restart is measured there, and an estimate elsewhere."""
        state: NodeState | None = self._states.get(name)
        restart = observed(self._pods.get(name, ()), state)
        if restarted is not None:
            how = f"as on the canary {canary}"
            restart = restarted if name == canary else replace(restarted, word=Word.ESTIMATED, how=how)
        pull = pulled or Pulled(Measured(how=NOT_READY))
        return replace(self._told_of(name), pull=pull.took, failed=pull.failed, restart=restart)

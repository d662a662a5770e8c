"""Rules about the speakers: are they there, do they report, how are they deployed, of which versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bgpctl.core.calico.states import PREPARE, UNTOLD
from bgpctl.core.doctor.facts import Facts, Workload
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.state import ANOTHER_SPEAKER, SAME_CLOCK_SECONDS, WAITS

CRITICAL = "system-node-critical"
START_SECONDS = 300.0
RESTARTS = 3
CLOCK_SECONDS = 30.0


def heartbeat_stale(facts: Facts) -> Iterator[Said]:
    """A speaker has not reported for 150 s (its heartbeat is every 60 s).

    It hangs, is dead, or cannot reach the API server. What the node announces is not known, and a drain of it
    waits for the worst case. A speaker that has stopped said so, and that of a node which was taken out may
    be off: they are not meant here.
    """
    there, intents = {node.name for node in facts.nodes}, facts.intents or {}
    for state in (facts.states or {}).values():
        intent = intents.get(state.node)
        out = state.ended or not (state.in_service or (intent is not None and intent.selected))
        if state.node in there and not state.unreadable and state.stale(facts.now) and not out:
            fix = f"kubectl get pods -A -o wide --field-selector spec.nodeName={state.node}"
            yield Finding(state.node, "its speaker does not report any more", fix, state.node)


def speaker_missing(facts: Facts) -> Iterator[Said]:
    """A policy selects a node, and no speaker ever reported for it.

    The DaemonSet does not run there (a taint, a nodeSelector), or the speaker could never write its state.
    Nothing is announced from the node.
    """
    states = facts.states or {}
    for name, intent in (facts.intents or {}).items():
        if intent.selected and name not in states:
            fix = f"kubectl get pods -A -o wide --field-selector spec.nodeName={name}"
            yield Finding(name, f"{intent.policy} selects it, and no speaker reports for it", fix, name)


def state_unreadable(facts: Facts) -> Iterator[Said]:
    """What a speaker published cannot be read.

    Another version of it, or somebody else, wrote the object. Everything about that node is unknown until it
    is written anew.
    """
    for state in (facts.states or {}).values():
        if state.unreadable:
            fix = f"kubectl get bgpnodestate {state.node} -o yaml"
            yield Finding(state.node, f"its state cannot be read: {state.unreadable}", fix, state.node)


def state_without_node(facts: Facts) -> Iterator[Said]:
    """A state is there whose Node is not.

    It is owned by its Node and goes with it; one that stays was written for a name that no Node has
    (`--node-name`).
    """
    there = {node.name for node in facts.nodes}
    for state in (facts.states or {}).values():
        if state.node not in there:
            fix = f"kubectl delete bgpnodestate {state.node}"
            yield Finding(
                state.node, "no Node has the name under which this speaker reports", fix, state.node
            )


def two_speakers(facts: Facts) -> Iterator[Said]:
    """Two speakers report for one node, or two stacks announce from it.

    They take each other's sessions, and nobody speaks for all that the node announces: no drain of it can be
    proved.
    """
    for state in facts.live:
        if state.contested:
            fix = f"bgpctl peers status {state.node} -o wide"
            yield Finding(state.node, state.contested, fix, state.node)


def speaker_problem(facts: Facts) -> Iterator[Said]:
    """A speaker says what it left out: a Secret that is missing, an object that cannot be read, a session
    that cannot be held.

    Everything else of the node runs on; what is named does not.
    """
    # No command out of the sentence: it may quote what anybody who may write a Service put there.
    for state in facts.live:
        for problem in state.problems:
            if problem.startswith((ANOTHER_SPEAKER, WAITS)):
                continue
            if not state.sessions_told:
                yield Unknown(problem, state.node)
                continue
            fix = PREPARE if problem == UNTOLD else f"bgpctl routes {state.node} --absent"
            yield Finding(state.node, problem, fix, state.node)


def policy_held(facts: Facts) -> Iterator[Said]:
    """A speaker goes on with the last good form of a policy that is invalid now.

    Whatever was changed in it since has no effect, on any node.
    """
    for state in facts.live:
        if state.policy_problem:
            what = f"{state.selected_by_kind} {state.selected_by}".strip() or "its policy"
            fix = f"correct {what}: the place stands in the finding"
            yield Finding(state.node, state.policy_problem, fix, state.node)


def speaker_waits(facts: Facts) -> Iterator[Said]:
    """A speaker does not begin, because another BGP stack has its node or may have it.

    That is right while the node is not handed over; it is a finding because nothing is announced by it.
    """
    for state in facts.live:
        if state.waits and state.waits != WAITS:
            yield Finding(state.node, state.waits, "bgpctl providers", state.node)


def speaker_starting(facts: Facts) -> Iterator[Said]:
    """A speaker has been starting for more than five minutes.

    It cannot read something that it needs, or its own readiness checks do not agree.
    """
    for state in facts.live:
        began = state.by_server(state.started_at)
        if state.phase == "Starting" and state.started_at and facts.now - began > START_SECONDS:
            yield Finding(
                state.node, "its speaker does not get past its start", f"bgpctl logs {state.node}", state.node
            )


def engine_restarts(facts: Facts) -> Iterator[Said]:
    """The BGP engine of a speaker was restarted three times or more.

    Each costs the sessions, or a restart of them. The log says why it ended.
    """
    for state in facts.live:
        if state.engine_restarts >= RESTARTS:
            why = "its BGP engine keeps being restarted"
            yield Finding(state.node, why, f"bgpctl logs {state.node}", state.node)


def clock_apart(facts: Facts) -> Iterator[Said]:
    """The clock of a node is half a minute or more off the API server's.

    Proofs and waits go by the API server's clock; logs, certificates and other tools go by the node's.
    """
    for state in facts.live:
        if not state.reported_at or not state.heartbeat:
            yield Unknown("when a speaker wrote by its own clock is not told", state.node)
        elif abs(state.reported_at - state.heartbeat) > CLOCK_SECONDS + SAME_CLOCK_SECONDS:
            yield Finding(
                state.node, "its clock is off the API server's", "chronyc tracking (on the node)", state.node
            )


# --- how they are deployed ----------------------------------------------------------------------------------


def _patch(one: Workload, spec: str) -> str:
    return f"kubectl -n {one.namespace} patch daemonset {one.name} --type merge -p '{spec}'"


def _speakers(facts: Facts) -> Iterator[tuple[Workload, str]]:
    for one in facts.workloads or ():
        if not one.proxy:
            yield one, f"DaemonSet {one.namespace}/{one.name}"


def not_critical(facts: Facts) -> Iterator[Said]:
    """A speaker's DaemonSet has not the priority class system-node-critical.

    A node that runs out of memory or pods evicts it like any other pod, and its routes with it; a full node
    does not let it in again.
    """
    for one, name in _speakers(facts):
        if one.priority != CRITICAL:
            spec = f'{{"spec":{{"template":{{"spec":{{"priorityClassName":"{CRITICAL}"}}}}}}}}'
            had = f"has the priority class {one.priority}" if one.priority else "has no priority class"
            yield Finding(name, f"it {had}: its pods may be evicted", _patch(one, spec))


def not_host_network(facts: Facts) -> Iterator[Said]:
    """A speaker's DaemonSet is not in the host's network.

    Its sessions come from a pod's address, which routers do not expect and which changes with every restart.
    """
    for one, name in _speakers(facts):
        if not one.host_network:
            fix = _patch(one, '{"spec":{"template":{"spec":{"hostNetwork":true}}}}')
            yield Finding(name, "its pods are not in the host's network", fix)


def rolls_together(facts: Facts) -> Iterator[Said]:
    """An update of a speaker's DaemonSet restarts more than one of them at a time.

    Each is a next hop of the same addresses: with all of them in a restart at once, graceful restart or not,
    nobody is left who answers if one does not come back.
    """
    for one, name in _speakers(facts):
        if one.strategy == "RollingUpdate" and one.max_unavailable not in ("", "0", "1"):
            fix = _patch(one, '{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":1}}}}')
            yield Finding(name, f"an update restarts {one.max_unavailable} of its pods at once", fix)


def speaker_unavailable(facts: Facts) -> Iterator[Said]:
    """A speaker's DaemonSet has nodes on which its pod is not available."""
    for one, name in _speakers(facts):
        if one.unavailable:
            fix = f"kubectl -n {one.namespace} rollout status daemonset {one.name}"
            yield Finding(name, f"{one.unavailable} of its pods are not available", fix)


def grace_shorter_than_soak(facts: Facts) -> Iterator[Said]:
    """The pods of our speaker are killed before the soak of a leave is over.

    `bgpctl.io/graceful-shutdown-soak` of the Node is longer than terminationGracePeriodSeconds: when the
    speaker is stopped on a node that leaves, it is killed before it has withdrawn.
    """
    longest = max((state.soak for state in facts.live), default=0.0)
    for one, name in _speakers(facts):
        if one.ours and longest >= one.grace:
            value = int(longest) + 30
            spec = f'{{"spec":{{"template":{{"spec":{{"terminationGracePeriodSeconds":{value}}}}}}}}}'
            why = f"its pods are killed after {one.grace} s, and a leave soaks for {longest:g} s"
            yield Finding(name, why, _patch(one, spec))


# --- versions -----------------------------------------------------------------------------------------------


def _release(version: str) -> tuple[int, int] | None:
    """Its first two numbers; None = it is no version."""
    found = re.match(r"v?(\d{1,6})\.(\d{1,6})", version)
    return (int(found[1]), int(found[2])) if found else None


def speakers_differ(facts: Facts) -> Iterator[Said]:
    """Speakers of different versions are at work.

    During an upgrade that is so; when it lasts, an upgrade stopped half-way, and the nodes behave in two
    ways.
    """
    found = {state.node: state.speaker_version for state in facts.live if state.speaker_version}
    newest = max(found.values(), key=lambda text: (_release(text) or (0, 0), text), default="")
    for node, version in found.items():
        if version != newest:
            fix = "kubectl rollout status daemonset -A -l app.kubernetes.io/name=bgpctl-speaker"
            yield Finding(node, f"its speaker is {version}, others are {newest}", fix, node)


def speaker_and_cli(facts: Facts) -> Iterator[Said]:
    """This bgpctl and a speaker are of different releases (major or minor).

    Journals and states are read by the other one: what a newer one writes, an older one may refuse.
    """
    mine = _release(facts.version)
    for state in facts.live if mine else ():
        theirs = _release(state.speaker_version)
        if theirs is None:
            if state.uid:
                yield Unknown("a speaker does not tell its version", state.node)
        elif theirs != mine:
            why = f"its speaker is {state.speaker_version}, this bgpctl is {facts.version}"
            fix = f"pip install 'bgpctl=={theirs[0]}.{theirs[1]}.*', or upgrade the speakers"
            yield Finding(state.node, why, fix, state.node)


def crd_older(facts: Facts) -> Iterator[Said]:
    """The cluster's CRD of BGPNodeState lacks fields that this release writes.

    The API server drops them without a word, so what speakers say never arrives: proofs that rest on it
    become unknown.
    """
    if facts.crds:
        fix = "kubectl apply -f bgpctl/deploy/crds/bgpnodestates.bgpctl.io.yaml"
        yield Finding("CRD bgpnodestates.bgpctl.io", f"it lacks {', '.join(facts.crds)}", fix)


RULES = (
    Rule("heartbeat-stale", Severity.ERROR, heartbeat_stale, ("states",)),
    Rule("speaker-missing", Severity.ERROR, speaker_missing, ("states", "intents")),
    Rule("state-unreadable", Severity.ERROR, state_unreadable, ("states",)),
    Rule("state-without-node", Severity.WARNING, state_without_node, ("states",)),
    Rule("two-speakers", Severity.ERROR, two_speakers, ("states",)),
    Rule("speaker-problem", Severity.WARNING, speaker_problem, ("states",)),
    Rule("policy-held", Severity.WARNING, policy_held, ("states",)),
    Rule("speaker-waits", Severity.WARNING, speaker_waits, ("states",)),
    Rule("speaker-starting", Severity.WARNING, speaker_starting, ("states",)),
    Rule("engine-restarts", Severity.WARNING, engine_restarts, ("states",)),
    Rule("clock-apart", Severity.WARNING, clock_apart, ("states",)),
    Rule("speaker-not-critical", Severity.WARNING, not_critical, ("workloads",)),
    Rule("speaker-not-host-network", Severity.WARNING, not_host_network, ("workloads",)),
    Rule("speaker-rolls-together", Severity.WARNING, rolls_together, ("workloads",)),
    Rule("speaker-unavailable", Severity.ERROR, speaker_unavailable, ("workloads",)),
    Rule("speaker-killed-in-soak", Severity.WARNING, grace_shorter_than_soak, ("workloads", "states")),
    Rule("version-of-speakers", Severity.WARNING, speakers_differ, ("states",)),
    Rule("version-of-bgpctl", Severity.WARNING, speaker_and_cli, ("states",)),
    Rule("version-of-crd", Severity.WARNING, crd_older, ("crds",)),
)

"""`doctor`: gathers what the rules look at. Every collection is listed once, page by page, whatever the
number of nodes; a right that is missing, or a kind that is not served, costs the rules that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bgpctl import __version__
from bgpctl.core.doctor import examine, reading
from bgpctl.core.doctor.facts import Certificate, Facts, Held, Leftover, Reach, Run, Took, Workload
from bgpctl.core.doctor.finding import Report
from bgpctl.core.doctor.reach import reaches
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.model import Intent
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.policy.owners import read_claims
from bgpctl.core.policy.v2.compile import read_resources
from bgpctl.core.reading.documents import annotations_of, name_of, namespace_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError
from bgpctl.kube import certificates, lease, paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import permitted
from bgpctl.ports import Outlook, Provider
from bgpctl.providers import leftovers
from bgpctl.queries.crd import lacking
from bgpctl.queries.doctor_routers import ask_all, counted, matched
from bgpctl.queries.nodes import report_of
from bgpctl.runbooks import cluster
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.runbooks.objects import no_such_node
from bgpctl.witness.probe import Probe

T = TypeVar("T")
Document = Mapping[str, Any]

EVENTS = "/api/v1/events"
PART = "no right to read all of Services, EndpointSlices, policies and states"
NO_PROBE = "no router was asked (--router-probe)"


def doctor(client: Client, provider: Provider, probes: Sequence[Probe], nodes: Sequence[str]) -> Report:
    """What the rules say of the cluster, or of these nodes. UsageError for a node that does not exist."""
    facts = gather(client, provider, probes)
    there = {node.name for node in facts.nodes}
    if missing := [name for name in nodes if name not in there]:
        raise no_such_node(*missing, known=there)
    return examine(facts, frozenset(nodes))


def gather(client: Client, provider: Provider, probes: Sequence[Probe] = ()) -> Facts:
    """Everything that can be known. Raises BgpctlError where the API server cannot be asked, or Nodes cannot
    be listed: there is nothing to say then."""
    look = _Look(client, provider)
    facts = look.facts()
    facts = replace(facts, missing=look.missing)
    if probes:
        return counted(matched(facts, ask_all(probes)), look.intent)
    return replace(facts, missing={**facts.missing, "routers": NO_PROBE, "crowds": NO_PROBE})


class _Look:
    """One reading of the cluster. `missing`: what could not be read, and why."""

    def __init__(self, client: Client, provider: Provider) -> None:
        self._client, self._provider = client, provider
        self.missing: dict[str, str] = {}
        self._objects = cluster.Objects((), Outlook({}, None))

    def intent(self, name: str) -> Intent:
        """What a node should announce, as it was when the facts were read; no routes where that is not known
        of it."""
        found = (node for node in self._objects.nodes if name_of(node) == name)
        known = next(found, None) if "services" not in self.missing else None
        return Intent(name) if known is None else self._objects.compiled(known)

    def facts(self) -> Facts:
        """All but the routers' side."""
        nodes, _ = self._client.read_list(paths.NODES, {}, cluster.slim)
        outlook = self._outlook()
        now = self._client.present()
        states = None if outlook.missing and not outlook.states else outlook.states
        if states is None:
            self.missing["states"] = outlook.missing
        facts = Facts(now, __version__, tuple(map(reading.read_node, nodes)), states=states)
        self._objects = cluster.Objects(nodes, outlook)
        facts = self._policies(facts, self._objects)
        facts = self._workloads(facts)
        leases = self._try("leases", self._leases)
        return replace(
            facts,
            runs=self._runs(facts, nodes, leases),
            leases=None if leases is None else _held(nodes, leases, now),
            leftovers=self._try("leftovers", self._leftovers),
            crds=self._try("crds", lambda: lacking(self._client)),
            certificates=self._try("certificates", self._certificates),
        )

    def _try(self, name: str, read: Callable[[], T]) -> T | None:
        """What it reads; None where we may not, or the cluster does not serve it."""
        try:
            return read()
        except NotFound:
            self.missing[name] = f"the cluster serves no {name}"
        except ApiError as error:
            if error.code != 403:
                raise
            self.missing[name] = f"no right to read {name}"
        return None

    # -- what nodes should do, and what they say

    def _outlook(self) -> Outlook:
        """Who may not list Services still sees the policies and what speakers publish."""
        found = self._try("services", self._provider.outlook)
        if found is not None:
            return found
        self.missing["services"] = self.missing["reaches"] = PART
        states = self._try("states", lambda: self._provider.states() or ())
        stacks = self._provider.name.split(" and ")
        fleet = self._try("policies", lambda: leftovers.fleet_of_policies(self._client, stacks))
        return Outlook(
            {state.node: state for state in states or ()}, fleet, missing=self.missing.get("states", "")
        )

    def _policies(self, facts: Facts, objects: cluster.Objects) -> Facts:
        fleet = objects.outlook.fleet
        if fleet is None:
            untold = f"what {self._provider.name}'s nodes should announce cannot be told from outside"
            why = self.missing.get("policies", untold)
            names = ("intents", "claims", "resources", "selectors", "services", "reaches", "pools")
            self.missing.update({name: why for name in names if name not in self.missing})
            return facts
        told = fleet.objects
        intents = {name_of(node): fleet.bare(node, objects.opened(name_of(node))) for node in objects.nodes}
        services = None if "reaches" in self.missing else fleet.services
        pools = self._try("pools", lambda: permitted(self._client, *paths.LB_POOLS))
        if pools is None:
            self.missing.setdefault("pools", "no right to read pools")
        if services is None:
            self.missing.setdefault("pools", self.missing["reaches"])
        return replace(
            facts,
            intents=intents,
            claims=read_claims(told.policies, told.cluster_configs),
            resources=read_resources(told.peer_configs, told.advertisements, told.overrides),
            selectors=objects.outlook.selectors or leftovers.selectors_of(fleet),
            services=services,
            reaches=None if services is None else self._reaches(facts, fleet, objects, intents),
            pools=None if pools is None or services is None else reading.read_pools(pools, services),
        )

    def _reaches(
        self, facts: Facts, fleet: Fleet, objects: cluster.Objects, intents: Mapping[str, Intent]
    ) -> tuple[Reach, ...] | None:
        """By the nodes whose speaker is there. None where nobody tells that of any."""
        if facts.states is None:
            self.missing["reaches"] = self.missing["states"]
            return None
        selected = [node for node in objects.nodes if intents[name_of(node)].selected]
        alive = [node for node in selected if cluster.announces(facts.states.get(name_of(node)), facts.now)]
        return reaches(fleet, [objects.announcer(node) for node in alive], intents)

    # -- pods

    def _workloads(self, facts: Facts) -> Facts:
        found = self._try("daemonsets", lambda: self._client.items(paths.DAEMONSETS))
        if found is None:
            names = ("workloads", "proxies_down", "restarts", "pulls")
            self.missing.update(dict.fromkeys(names, self.missing["daemonsets"]))
            return facts
        workloads = [one for one in map(reading.read_workload, found) if one is not None]
        pods = self._try(
            "pods", lambda: [pod for one in workloads if not one.proxy for pod in self._pods(one)]
        )
        down = self._try("kube-proxy's pods", lambda: [name for one in workloads for name in self._down(one)])
        for name, value, of in (("proxies_down", down, "kube-proxy's pods"), ("restarts", pods, "pods")):
            if value is None:
                self.missing[name] = self.missing[of]
        return replace(
            facts,
            workloads=workloads,
            proxies_down=down,
            restarts=None if pods is None else tuple(reading.restarts(pods)),
            pulls=self._pulls(pods),
        )

    def _pods(self, one: Workload) -> Sequence[Document]:
        if not one.selector:
            return ()
        found, _ = self._client.read_list(
            f"/api/v1/namespaces/{paths.named(one.namespace)}/pods",
            {"labelSelector": one.selector},
            _short_pod,
        )
        return found

    def _down(self, one: Workload) -> Sequence[str]:
        """The nodes on which kube-proxy is not ready; its pods are looked at where the DaemonSet says that
        one is not."""
        if not (one.proxy and one.unavailable):
            return ()
        seen = (reading.pod_ready(pod) for pod in self._pods(one))
        return [node for node, ready in seen if node and not ready]

    def _pulls(self, pods: Sequence[Document] | None) -> tuple[Took, ...] | None:
        if pods is None:
            self.missing["pulls"] = self.missing["pods"]
            return None
        where = {
            (namespace_of(pod), name_of(pod)): str((pod.get("spec") or {}).get("nodeName") or "")
            for pod in pods
        }
        if not where:
            return ()
        query = {"fieldSelector": "reason=Pulled"}  # anybody makes events, as many and as long as they like

        def took(event: Document) -> tuple[Took, ...]:
            return tuple(reading.pulls([event], where))

        found = self._try("pulls", lambda: self._client.read_list(EVENTS, query, took)[0])
        return None if found is None else tuple(one for each in found for one in each)

    # -- what runs left

    def _leases(self) -> Mapping[str, lease.LeaseView | str]:
        """By node; of one that cannot be read, why."""
        listed = self._client.items(paths.leases(lease.NAMESPACE), labelSelector=lease.SELECTOR)
        return {name: _view(document) for document in listed if (name := lease.node_of(document))}

    def _runs(
        self, facts: Facts, nodes: Sequence[Document], leases: Mapping[str, lease.LeaseView | str] | None
    ) -> tuple[Run, ...] | None:
        if leases is None:
            self.missing["runs"] = self.missing["leases"]
            return None
        touched = (node for node in nodes if _touched(node, facts, leases))
        return tuple(_run(node, facts, leases.get(name_of(node))) for node in touched)

    def _leftovers(self) -> tuple[Leftover, ...] | None:
        try:
            return leftovers.leftovers(self._client, self._provider.name.split(" and "))
        except (ApiError, NotFound):
            raise
        except BgpctlError as error:
            self.missing["leftovers"] = error.message
            return None

    # -- the cluster itself

    def _certificates(self) -> tuple[Certificate, ...] | None:
        try:
            return tuple(Certificate(what, end) for what, end in certificates.expiries(self._client.access))
        except (OSError, Unreadable) as error:
            self.missing["certificates"] = f"the certificates cannot be read ({error})"
            return None


def _short_pod(pod: Document) -> Document:
    """Of a pod what the doctor reads: there is one on every node."""
    status = pod.get("status") or {}
    kept = {key: status.get(key) for key in ("conditions", "containerStatuses")}
    node = (pod.get("spec") or {}).get("nodeName")
    meta = {"name": name_of(pod), "namespace": namespace_of(pod)}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": kept}


def _view(document: Document) -> lease.LeaseView | str:
    try:
        return lease.view(document)
    except Unreadable as error:
        return error.message


def _touched(node: Document, facts: Facts, leases: Mapping[str, Any]) -> bool:
    """Has bgpctl a hand in it?"""
    annotations, state = annotations_of(node), (facts.states or {}).get(name_of(node))
    asked = ANNOTATION in annotations or LEAVE in annotations or name_of(node) in leases
    return asked or (state is not None and state.told_out)


def _run(node: Document, facts: Facts, held: lease.LeaseView | str | None) -> Run:
    name, state = name_of(node), (facts.states or {}).get(name_of(node))
    if isinstance(held, str):
        fix = f"kubectl -n {lease.NAMESPACE} delete lease {lease.name_for(name)}"
        return Run(name, "unknown", problem=f"its Lease cannot be read ({held})", hint=fix)
    report = report_of(dict(node), state, held, facts.now)
    journal = report.journal
    done = journal.done_at if journal else None
    return Run(
        name,
        report.service,
        report.stopped,
        report.problem,
        report.hint,
        facts.now - done if done else 0.0,
    )


def _held(
    nodes: Sequence[Document], leases: Mapping[str, lease.LeaseView | str], now: float
) -> tuple[Held, ...]:
    by_name = {name_of(node): node for node in nodes}
    return tuple(
        Held(
            lease.name_for(name),
            name,
            name in by_name,
            name in by_name and ANNOTATION in annotations_of(by_name[name]),
            view.holder if not isinstance(view, str) and view.held_by_other("", now) else "",
        )
        for name, view in leases.items()
    )

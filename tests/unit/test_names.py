"""Names that other programs and other versions know, and times that they reckon with: what stands on objects
of a cluster, in answers of routers, on command lines (golden/names.txt). A change of one is seen here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from importlib import import_module

from bgpctl.render.text import Line, line
from tests.support.golden import check_golden

NAMES = {
    "bgpctl.core.bgp.communities": "WELL_KNOWN",
    "bgpctl.core.bgp.nlri": "NUMBERS FAMILIES BITS",
    "bgpctl.core.calico.bird": "CLIENT CONTAINER SELECTOR SOCKETS STATUS PROTOCOLS RECOVERY_SECONDS",
    "bgpctl.core.calico.config": "MAINTENANCE MAINTAINED",
    "bgpctl.core.calico.leave": "FILTER SPEC",
    "bgpctl.core.calico.nodestatus": (
        "KIND LABEL LABELLED PERIOD_SECONDS WRITING_SECONDS CLASSES MESH STATES"
    ),
    "bgpctl.core.calico.states": "UNREAD",
    "bgpctl.core.cilium.agent": "CLIENT PEERS",
    "bgpctl.core.cilium.copies": "LABEL LABELLED MADE_FROM MADE_AT SETTLE_SECONDS",
    "bgpctl.core.cilium.leave": "OWNERS",
    "bgpctl.core.cilium.nodeconfig": "KIND OWNER_KIND ANNOTATION LABEL LABELLED SUFFIX SOAK_SUFFIX",
    "bgpctl.core.cilium.policies": "SESSIONS CLOSED NOBODY",
    "bgpctl.core.cilium.soak": "PEER_CONFIG ADVERTISEMENT PLANNED_SHUT CHOSEN",
    "bgpctl.core.drain.deselection": "SELECTED DESELECTED DRAINED OVERRIDE",
    "bgpctl.core.drain.guards": (
        "ALLOW_LAST_PATH ALLOW_ADDRESS_GAP MAX_UNAVAILABLE BESIDE_ANOTHER MEDIK8S_NAMESPACE "
        "KURED_LOCK KURED_REBOOTING REMOVAL_TAINTS OTHER_STACKS"
    ),
    "bgpctl.core.drain.lever": "EXCLUDE",
    "bgpctl.core.drain.pods": "MIRROR_ANNOTATION",
    "bgpctl.core.drain.restart": "STAYING APART",
    "bgpctl.core.frr_k8s.config": "GROUP VERSION KIND LABEL LABELLED NAMED",
    "bgpctl.core.frr_k8s.leave": "LIST HOSTNAME",
    "bgpctl.core.frr_k8s.running": "VERSIONS",
    "bgpctl.core.frr_k8s.told": "NODE_LABEL SUCCESS STATES CLIENT CONTAINER SELECTOR QUESTION",
    "bgpctl.core.handover": "LABEL OURS FLAG",
    "bgpctl.core.intent.damping": "DAMPED LOST",
    "bgpctl.core.intent.endpoints": "SERVICE_NAME_LABEL ENVOY_DUMMY",
    "bgpctl.core.intent.exposure": (
        "HEADLESS_LABEL NODE_SELECTOR NODE TYPE TYPES GATEWAY_LABEL INGRESS_LABEL"
    ),
    "bgpctl.core.intent.gates": (
        "EXCLUDE_LABEL NODE_EXCLUDED NODE_NETWORK_UNAVAILABLE NODE_NOT_READY NODE_NOT_CONFIRMED OPEN"
    ),
    "bgpctl.core.intent.podcidrs": "CILIUM_NODE POD_POOL POOL_NAME POOL_NAMESPACE NO_POOL NO_POOL_CIDR",
    "bgpctl.core.intent.routeview": "SPEAKER INTENT",
    "bgpctl.core.intent.services": (
        "LOAD_BALANCER_CLASS NOT_SELECTED NO_MATCHING_ADVERTISEMENT NO_LOAD_BALANCER_IP "
        "WRONG_CLASS NO_LOCAL_ENDPOINTS NO_ENDPOINTS NO_ENDPOINT_SLICE NO_INTERFACE_ADDRESS "
        "HEADLESS NOT_ON_THIS_NODE NOT_THIS_TYPE INGRESS_NOT_VIP FAMILY_NOT_CONFIGURED "
        "FAMILY_NOT_NEGOTIATED NEXT_HOP_NOT_NEGOTIATED VIP_MODES POLICIES"
    ),
    "bgpctl.core.kube_router": "CONTAINER PEERS NODE_ASN",
    "bgpctl.core.logforms": "SUBSYSTEMS",
    "bgpctl.core.metallb": "KIND CONTAINER IGNORES NODE_NAME BGP_TYPE FRR_K8S SELECTORS",
    "bgpctl.core.model": "IPV4 IPV6",
    "bgpctl.core.policy.annotations": (
        "GRACEFUL_NOTIFICATION GRACEFUL_SHUTDOWN_SOAK LEAVE LEAVE_REASON RUN RUNS LAST_STEP"
    ),
    "bgpctl.core.policy.claim": "NO_OWNER",
    "bgpctl.core.policy.inputs": "PASSWORD_KEY SERVICE_TYPES TRAFFIC_POLICIES IP_MODES ADDRESS_TYPES",
    "bgpctl.core.policy.nodeconfig": "ANNOTATION_PREFIX",
    "bgpctl.core.policy.owners": "OWNER_KINDS",
    "bgpctl.core.policy.peering": (
        "API_VERSION KIND LIMITS DEFAULTS AFIS SAFIS SPOKEN SERVICE_ADVERTISEMENTS SELECTOR_TYPES"
    ),
    "bgpctl.core.policy.pools": "LB_POOL",
    "bgpctl.core.policy.v2.advertisement": "KIND LIMITS V2ALPHA1_TYPES TYPES ADDRESSES",
    "bgpctl.core.policy.v2.cluster": (
        "KIND LIMITS DEFAULTS DISCOVERY_MODES GATEWAY_FAMILIES REFERENCE_DEFAULTS"
    ),
    "bgpctl.core.policy.v2.common": "V2 V2ALPHA1 API_VERSIONS",
    "bgpctl.core.policy.v2.conditions": (
        "NO_MATCHING_NODE MISSING_PEER_CONFIGS CONFLICTING_CLUSTER_CONFIG MISSING_AUTH_SECRET "
        "INVALID NOT_HONOURED REASONS"
    ),
    "bgpctl.core.policy.v2.override": "KIND LIMITS",
    "bgpctl.core.policy.v2.peer": "KIND LIMITS V2ALPHA1_LIMITS DEFAULTS",
    "bgpctl.core.policy.v2.status": "MANAGER TYPES",
    "bgpctl.core.reading.kinds": "STRING OBJECT",
    "bgpctl.core.reading.selectors": "OPERATORS",
    "bgpctl.core.settings": "SECTIONS",
    "bgpctl.core.shutdown": "STOPPING GOING_TAINTS",
    "bgpctl.core.state": (
        "GROUP VERSION KIND PLURAL HEARTBEAT_SECONDS STALE_AFTER_SECONDS SAME_CLOCK_SECONDS "
        "UNTOLD PHASES WAITS ENDED ENDS_WITH_SPEAKER"
    ),
    "bgpctl.core.state_lag": "LAG_SECONDS FRESH_SECONDS PROMPT_SECONDS",
    "bgpctl.core.timing.drills": (
        "SLACK_SECONDS NOTHING_SECONDS POINT_SECONDS RESTART_SECONDS SETTINGS CLASSES"
    ),
    "bgpctl.core.timing.failures": "SILENT OF_SPEAKER",
    "bgpctl.core.timing.mitigations": "BFD_SECONDS",
    "bgpctl.core.timing.soak": "GRACEFUL_SHUTDOWN READ_SECONDS",
    "bgpctl.core.timing.whatif": "HOLD KEEPALIVE ENABLED RESTART FIELDS",
    "bgpctl.kube.lease": "NAMESPACE COPY FRESH_SECONDS WATCHED_SECONDS UNKNOWN PREFIX SELECTOR",
    "bgpctl.runbooks.advice": "NAMES",
    "bgpctl.runbooks.checked": "SERVING REQUIRE_CONFIRMED",
    "bgpctl.runbooks.cluster": "KURED KURED_ONLY MEDIK8S_GROUPS",
    "bgpctl.runbooks.command_line": "CLUSTER",
    "bgpctl.runbooks.drain_steps": "RELABELLED PULLED DESELECTED LEAVING SHUTTING_DOWN",
    "bgpctl.runbooks.engine": "RETRY_SECONDS STATES",
    "bgpctl.runbooks.estimated": "SEEN SAW_WITHDRAWN SAW_RECORD SAW_EMPTY SAW_ENDED SAW_STARTED",
    "bgpctl.runbooks.events": "COMPONENT NAMESPACE TOLD STOPPED",
    "bgpctl.runbooks.journal": "ANNOTATION LATER UNSAID COMMANDS OF_OWN_CLOCK AGAIN OF_PROOF NAMES",
    "bgpctl.runbooks.judge": "ACCEPTED",
    "bgpctl.runbooks.kept": (
        "NO_PROBES UNSAID SHAPES SWITCHES REPEATABLE COMMANDS OF_ATTEMPT INHERITED PRINTED"
    ),
    "bgpctl.runbooks.model": "SCHEMA",
    "bgpctl.runbooks.observe": "MAY_ANNOUNCE ENDED WITHDREW",
    "bgpctl.runbooks.options": "ORDERS PROBE_FLAG",
    "bgpctl.runbooks.perform": "FENCE",
    "bgpctl.runbooks.proof": "GONE_PHASES",
    "bgpctl.runbooks.questions": "HANGS_SECONDS",
    "bgpctl.runbooks.restart_steps": "COMMAND BEFORE ASKED POD SPEAKER LIFT",
    "bgpctl.runbooks.restore_steps": "RESELECTED SENT",
    "bgpctl.runbooks.routers": "SHOWN",
    "bgpctl.runbooks.soaked": "SOAKING FLAG",
    "bgpctl.runbooks.upgrade": "PULLED PATCHED GIVEN_BACK",
    "bgpctl.runbooks.warden": "STOPPED_SECONDS",
    "bgpctl.runbooks.withdrawn": "APART_SECONDS ASSUME_DEAD REQUIRE_CONFIRMED",
    "bgpctl.witness.asking": "TIMEOUT_SECONDS BOOT_ID",
    "bgpctl.witness.bird_neighbors": "FAMILIES OPENS",
    "bgpctl.witness.exabgp": "STALE_FILE_SECONDS",
    "bgpctl.witness.frr_neighbors": "FAMILIES FILTERS HELPS",
    "bgpctl.witness.gobgp_neighbors": "FAMILIES",
    "bgpctl.witness.openbgpd": "CLIENT CLIENT_VARIABLE",
    "bgpctl.witness.openbgpd_neighbors": "FAMILIES",
    "bgpctl.witness.probe": "DEFAULTS",
}


def shown(value: object) -> str:
    """Sets in order."""
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(map(shown, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{shown(key)}: {shown(one)}' for key, one in value.items())}}}"
    return repr(value)


def known() -> Iterator[Line]:
    for module, names in NAMES.items():
        for name in names.split():
            yield line(f"{module}.{name}: {shown(getattr(import_module(module), name))}")


def test_names_and_times_that_others_know() -> None:
    check_golden("names.txt", known())

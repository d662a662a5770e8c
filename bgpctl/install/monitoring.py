"""What the Prometheus operator needs: where to scrape, and what to be told. Pure."""

from __future__ import annotations

from typing import Any

from bgpctl.install.labels import SPEAKER, meta
from bgpctl.install.settings import Options

Document = dict[str, Any]

NAME = "bgpctl"


SLOW_RUN = 1800  # seconds after which somebody should look at a drain
SILENT = 120  # seconds without a state that others can read; it is written every minute at the latest


def monitors(chosen: Options) -> tuple[Document, Document]:
    """A PodMonitor and a PrometheusRule."""
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": meta(chosen, NAME),
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": SPEAKER}},
            "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics", "relabelings": [_NODE]}],
        },
    }
    rules = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": meta(chosen, NAME),
        "spec": {"groups": [{"name": "bgpctl", "rules": list(_ALERTS)}]},
    }
    return monitor, rules


_NODE = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}


def _alert(name: str, expression: str, wait: str, severity: str, summary: str) -> Document:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }


_WRITTEN = "bgpctl_state_written_timestamp_seconds"

_ALERTS = (
    _alert(
        "BgpctlSessionDown",
        'cilium_bgp_control_plane_session_state == 0 and on (pod) bgpctl_phase{phase="Running"} == 1',
        "2m",
        "critical",
        "{{ $labels.node }} has no session with {{ $labels.neighbor }}: bgpctl peers status",
    ),
    _alert(
        "BgpctlRoutesMissing",
        "bgpctl_announced_routes < bgpctl_intended_routes",
        "2m",
        "critical",
        "{{ $labels.node }} announces less than it should to {{ $labels.neighbor }}: "
        "bgpctl routes {{ $labels.node }} --absent",
    ),
    _alert(
        "BgpctlPolicyInvalid",
        "bgpctl_policy_invalid == 1",
        "5m",
        "warning",
        "{{ $labels.node }} runs by the last good form of its policy: bgpctl doctor",
    ),
    _alert(
        "BgpctlReconcileFails",
        "increase(cilium_bgp_control_plane_reconcile_errors_total[10m]) > 3",
        "5m",
        "warning",
        "the speaker of {{ $labels.node }} fails again and again: kubectl logs",
    ),
    _alert(
        "BgpctlEngineRestarts",
        "increase(bgpctl_engine_restarts_total[15m]) > 2",
        "1m",
        "warning",
        "ExaBGP on {{ $labels.node }} keeps ending: kubectl logs",
    ),
    _alert(
        "BgpctlHeartbeatStale",
        f"time() - {_WRITTEN} > {SILENT} or "
        f"(time() - bgpctl_start_time_seconds > {SILENT} unless on (pod) {_WRITTEN})",
        "1m",
        "warning",
        "the state of {{ $labels.node }} does not reach the API server, so no drain can trust it: "
        "bgpctl doctor",
    ),
    _alert(
        "BgpctlDrainStuck",
        f"time() - bgpctl_unfinished_run_start_timestamp_seconds > {SLOW_RUN}",
        "1m",
        "warning",
        "a {{ $labels.command }} of {{ $labels.node }} is not done: bgpctl node status {{ $labels.node }}",
    ),
    _alert(
        "BgpctlSpeakerDown",
        'up{job=~".*/bgpctl"} == 0',
        "2m",
        "critical",
        "the speaker of {{ $labels.node }} does not answer: bgpctl peers status {{ $labels.node }}",
    ),
)

"""Whose metrics are asked for, and what is told of each endpoint, without a server between."""

from __future__ import annotations

import pytest

from bgpctl.core.exposition import Exposition, Sample
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.providers.pods import TABLE
from bgpctl.queries.metrics import NO_BGP, Answer, _doubt, metrics

CILIUM = TABLE["cilium"]
TEXT = 'cilium_bgp_control_plane_session_state{neighbor="192.0.2.1"} 1\n'


class Client:
    """Pods by their name, each with its node and its phase; all serve the same."""

    def __init__(self, text: str = TEXT, **pods: tuple[str, object]) -> None:
        self.text_, self.pods = text, pods

    def items(self, path: str, labelSelector: str) -> list[object]:
        assert path == paths.PODS
        return [
            {
                "metadata": {"name": name, "namespace": "kube-system"},
                "spec": {
                    "nodeName": node,
                    "hostNetwork": True,
                    "containers": [
                        {"name": "cilium-agent", "ports": [{"name": "prometheus", "containerPort": 9962}]}
                    ],
                },
                "status": status,
            }
            for name, (node, status) in self.pods.items()
        ]

    def text(self, path: str) -> str:
        return self.text_


RUNS = {"phase": "Running"}


def told(client: Client, *nodes: str) -> list[tuple[str, str, str]]:
    found = metrics(client, [CILIUM], nodes)  # type: ignore[arg-type]
    return [(one.node, one.pod, one.reason) for one in found.answers]


def test_every_node_is_told_in_order() -> None:
    client = Client(b=("n2", RUNS), a=("n2", RUNS), d=("n1", RUNS), c=("n3", RUNS))
    assert [(node, pod) for node, pod, _ in told(client)] == [
        ("n1", "kube-system/d"),
        ("n2", "kube-system/a"),
        ("n2", "kube-system/b"),
        ("n3", "kube-system/c"),
    ]


def test_only_the_named_nodes_and_those_without_a_pod_with_the_reason() -> None:
    client = Client(a=("n1", RUNS), b=("n2", RUNS))
    labels = " or ".join(CILIUM.selectors)
    silent = f"no pod with labels {labels}"
    names = ("n9", "n1", "n7", "n8", "n6", "n5")
    found = told(client, *names)
    assert [node for node, _, _ in found] == sorted(names)
    assert [reason for _, pod, reason in found if not pod] == [silent] * 5


@pytest.mark.parametrize(("nodes", "where"), [((), ""), (("n9", "n8"), " on n8, n9")])
def test_that_there_is_no_pod_at_all_is_an_error(nodes: tuple[str, ...], where: str) -> None:
    labels = " or ".join(CILIUM.selectors)
    with pytest.raises(BgpctlError) as error:
        told(Client(a=("n1", RUNS)) if nodes else Client(), *nodes)
    assert error.value.message == f"no pod with labels {labels}{where}"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (RUNS, ""),
        ({"phase": "Pending"}, "it is Pending"),
        ({"phase": 7}, ""),
        ({}, ""),
        (None, ""),
        ("odd", ""),
    ],
)
def test_a_pod_that_does_not_run_is_not_asked(status: object, reason: str) -> None:
    ((_, _, found),) = told(Client(a=("n1", status)))
    assert (found == reason) if reason else not found.startswith("it is ")


SAMPLE = Sample("x", {}, 1.0)


@pytest.mark.parametrize(
    ("exposition", "doubt"),
    [
        (Exposition((SAMPLE,)), ""),
        (Exposition(()), NO_BGP),
        (Exposition((SAMPLE,), bad=2), "2 of its lines are no metrics"),
        (Exposition((SAMPLE,) * 3, bad=2, more=7), "7 samples beyond the first 3 are left out"),
    ],
)
def test_why_not_all_of_an_answer_may_be_believed(exposition: Exposition, doubt: str) -> None:
    assert _doubt(exposition) == doubt


def test_an_answer_is_named_by_what_is_known_of_it() -> None:
    assert Answer("n1").name == "n1"
    assert Answer("n1", "a/b").name == "n1: pod a/b"
    assert Answer("n1", "a/b", 9962).name == "n1: pod a/b port 9962"

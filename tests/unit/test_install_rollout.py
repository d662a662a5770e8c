"""What `install --wait` waits for, and what it says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.errors import DeadlineExceeded
from bgpctl.install.manifests import manifests
from bgpctl.install.rollout import follow, waiting
from bgpctl.install.settings import options
from tests.support import direct

Document = dict[str, Any]


def daemon_set(strategy: str = "RollingUpdate", generation: int = 2, **status: int) -> Document:
    numbers = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3, **status}
    return {
        "metadata": {"generation": generation},
        "spec": {"updateStrategy": {"type": strategy}},
        "status": {"observedGeneration": 2, **numbers},
    }


@pytest.mark.parametrize(
    ("document", "lacks"),
    [
        (daemon_set(), ""),
        (None, "it is gone"),
        ({"metadata": {"generation": 1}}, "its controller has not seen it yet"),
        (daemon_set(generation=3), "its controller has not seen it yet"),
        (daemon_set(desiredNumberScheduled=0), "no node is selected: --set nodeSelector=… says which are"),
        (daemon_set(updatedNumberScheduled=1), "1 of 3 pods have the new template"),
        (daemon_set(numberReady=2), "2 of 3 pods are ready"),
        # that one is replaced by hand, so an older template is no reason to wait
        (daemon_set("OnDelete", updatedNumberScheduled=1), ""),
        (daemon_set("OnDelete", numberReady=2), "2 of 3 pods are ready"),
    ],
)
def test_what_a_daemon_set_lacks(document: Document | None, lacks: str) -> None:
    assert waiting(document) == lacks


class Course:
    """DaemonSets whose pods become ready one by one, every twelve seconds."""

    def __init__(self, last: float = 36.0) -> None:
        self.at, self.last = 0.0, last
        self.api = direct.Api()
        self.wanted = manifests(options())
        self.api.server.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgpctl-system"}}
        )
        self.sets = [one.document for one in self.wanted if one.kind == "DaemonSet"]
        self.api.server.apply(*self.sets)
        self.pause(0.0)

    def pause(self, seconds: float) -> None:
        self.at += seconds
        ready = min(3, int(self.at / self.last * 3))
        for one in self.sets:
            made = self.api.server.get("daemonsets", one["metadata"]["name"], "bgpctl-system")
            assert made is not None
            status = {
                "observedGeneration": made["metadata"]["generation"],
                "desiredNumberScheduled": 3,
                "updatedNumberScheduled": 3,
                "numberReady": ready,
            }
            self.api.server.apply({**made, "status": status})

    def follow(self, timeout: float) -> list[str]:
        client = direct.Wire(self.api).client()
        return list(follow(client, self.wanted, timeout, now=lambda: self.at, pause=self.pause))


def test_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    first, *more, last = Course().follow(600.0)
    assert first.startswith("0 s: DaemonSet bgpctl-system/bgpctl-engine: 0 of 3 pods are ready; ")
    assert [one.partition(":")[0] for one in more] == ["10 s", "20 s", "30 s"]
    assert last == "rolled out: DaemonSet bgpctl-system/bgpctl-engine, DaemonSet bgpctl-system/bgpctl-speaker"


def test_the_deadline_says_what_is_missing_and_what_to_look_at() -> None:
    with pytest.raises(DeadlineExceeded) as told:
        Course(last=600.0).follow(30.0)
    assert told.value.message.startswith("not rolled out within 30 s: ")
    assert "kubectl -n bgpctl-system get pods,events" in told.value.hint

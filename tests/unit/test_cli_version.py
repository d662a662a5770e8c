"""`bgpctl version`: what is here, what is in the cluster, and whether it goes together."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl import __version__
from bgpctl.core.state_document import to_document
from tests.support.cli import bgpctl
from tests.support.fake_api import fake_api
from tests.support.node_states import NODE_STATES, state


def told(kubeconfig: Path | None, *flags: str) -> tuple[int, dict[str, Any]]:
    ran = bgpctl("version", "-o", "json", *flags, kubeconfig=kubeconfig)
    return ran.code, json.loads(ran.out)


def test_without_a_cluster_the_client_is_told_and_the_rest_is_not_known() -> None:
    code, document = told(None)
    assert (code, document["status"], document["client"]) == (1, "failed", __version__)
    assert "no kubeconfig" in document["message"]
    code, document = told(None, "--client")
    assert (code, document["status"], "message" in document) == (0, "done", False)


@pytest.mark.parametrize(
    ("theirs", "code", "words"), [(__version__, 0, ""), ("9.9.1", 1, "9.9.1, this bgpctl is")]
)
def test_the_clusters_speakers(tmp_path: Path, theirs: str, code: int, words: str) -> None:
    with fake_api(tmp_path) as (api, kubeconfig):
        api.texts["/version"] = (200, json.dumps({"gitVersion": "v1.32.4"}))
        states = [replace(state(f"worker-{n}", time.time()), speaker_version=theirs) for n in (1, 2)]
        api.collections[NODE_STATES] = [to_document(one) for one in states]
        found, document = told(kubeconfig)
    assert document["server"] == "v1.32.4"
    assert [(one["version"], one["nodes"]) for one in document["speakers"]] == [(theirs, 2)]
    assert [words in one["why"] for one in document["skew"]] == [True, True][: 2 * code]
    assert document["status"] == ("failed" if code else "done")
    assert found == code

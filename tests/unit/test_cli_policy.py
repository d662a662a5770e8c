"""`policy check`: every fault at once, as text and as one document, exit 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import bgpctl

GOOD = """\
apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: {name: rack0}
spec:
  nodeSelector: {matchLabels: {enable-bgp: "true"}}
  virtualRouters:
  - localASN: 65001
    exportPodCIDR: true
    neighbors:
    - {peerAddress: 192.0.2.1/32, peerASN: 65000}
"""
BAD = (
    GOOD.replace("rack0", "rack1")
    .replace("localASN: 65001", "localASN: many")
    .replace("peerASN: 65000", "peerASN: 65000, peerPort: 0")
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


def test_valid_files(good: Path) -> None:
    ran = bgpctl("policy", "check", good)
    assert (ran.code, ran.out, ran.err) == (0, "1 document valid\n", "")
    document = bgpctl("policy", "check", good, "-o", "json").document
    assert document["status"] == "done"
    assert document["documents"][0]["kind"] == "CiliumBGPPeeringPolicy"


def test_every_fault_at_once(good: Path, bad: Path) -> None:
    ran = bgpctl("policy", "check", good, bad)
    assert ran.code == 2
    faults = [row for row in ran.out.splitlines() if row.startswith(f"error: {bad}:")]
    assert len(faults) == 2
    assert "spec.virtualRouters[0].localASN" in faults[0] + faults[1]
    assert "spec.virtualRouters[0].neighbors[0].peerPort" in faults[0] + faults[1]
    assert ran.out.splitlines()[-1] == "2 problems in 1 of 2 documents"


def test_faults_as_json(bad: Path) -> None:
    ran = bgpctl("policy", "check", bad, "-o", "json")
    assert ran.code == 2
    assert ran.document["status"] == "usage"
    assert {problem["path"] for problem in ran.document["problems"]} == {
        "spec.virtualRouters[0].localASN",
        "spec.virtualRouters[0].neighbors[0].peerPort",
    }
    assert all(problem["file"] == str(bad) and problem["line"] for problem in ran.document["problems"])


def test_a_missing_file(tmp_path: Path) -> None:
    ran = bgpctl("policy", "check", tmp_path / "none.yaml")
    assert ran.code == 2
    assert "none.yaml" in ran.out + ran.err
    assert "Traceback" not in ran.err

"""Drains and restores that are killed, interrupted, raced and cut off from the API: real processes on a real
lab. Every one of them is resumed by running it again, and ends in the same world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.cluster import Lab
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.options import ORDERS, DrainOptions, RestoreOptions
from tests.support import lab as kit
from tests.support.running import Running
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE = "worker-2"
FAST = ("--settle", "0")
GATHERED = (*FAST, "--allow-address-gap")  # all endpoints of a Service with the policy Local are here
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/bgpctl-node-{NODE}"
OBJECTS = (
    kit.NODES,
    kit.PODS,
    "/api/v1/events",
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/bgpctl.io/v1alpha1/bgpnodestates",
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running() as started:
        yield started


@pytest.fixture(autouse=True)
def in_service(lab: Lab) -> Iterator[None]:
    """Every test finds the node in service, and leaves it so."""
    yield
    ran = kit.run(lab, "node", "restore", NODE)
    assert ran.code == 0, ran.out + ran.err


def start(lab: Lab, command: str, *flags: str) -> Running:
    return Running(lab.kubeconfig, "node", command, NODE, *flags)


def drain_steps(order: str) -> list[str]:
    return [step.name for step in node_drain(DrainOptions(NODE, order), "run")]


def world(lab: Lab) -> dict[str, Any]:
    """What a run leaves behind, without names and times."""
    node, journal, state = kit.node(lab, NODE), kit.journal(lab, NODE), lab.node_state(NODE)
    return {
        "labels": node["metadata"]["labels"],
        "cordoned": bool(node["spec"].get("unschedulable")),
        "pods": kit.pods_on(lab, NODE) if journal else None,
        "phase": state["phase"],
        "announced": state["routes"]["announced"] > 0,
        "journal": journal and (journal.command, sorted(journal.steps), dict(journal.prior_labels)),
        "proof": journal and journal.evidence.get("proof"),
        "lease": lease(lab),
    }


def lease(lab: Lab) -> tuple[str, bool] | None:
    """Its holder, and whether it keeps a copy of the journal; None = there is no Lease."""
    found = lab.client().find(LEASE)
    if found is None:
        return None
    annotations = found["metadata"].get("annotations") or {}
    return found["spec"].get("holderIdentity") or "", "bgpctl.io/run" in annotations


FREE_AND_KEPT = ("", True)


def wanted(lab: Lab) -> list[Any]:
    """Every object without its status: speakers beat their hearts and pods become ready meanwhile."""
    items = [item for path in OBJECTS for item in lab.client().items(path)]
    moving = ("resourceVersion", "managedFields")
    return [
        ({k: v for k, v in i["metadata"].items() if k not in moving}, i.get("spec"), i.get("message"))
        for i in items
    ]


DRAINED = {
    "labels": {"enable-bgp": "false", "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"},
    "cordoned": True,
    "pods": [],
    "phase": "Withdrawn",
    "announced": False,
    "proof": "confirmed",
    "lease": FREE_AND_KEPT,
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_drain_killed_at_every_step_ends_in_the_same_world(lab: Lab, order: str) -> None:
    """Killed at the first event of the first step, run again and killed at the second step, and so on: every
    run but the last is killed."""
    steps = drain_steps(order)
    assert kit.gather_pods(lab, NODE)
    for step in steps:
        with start(lab, "drain", "--order", order, *GATHERED) as run:
            run.until(step)
            run.kill()
    done = kit.run_ok(lab, "node", "drain", NODE, "--order", order, "-o", "json", *GATHERED).document
    assert (done["status"], done["proof"]) == ("done", "confirmed")
    left = world(lab)
    journal = left.pop("journal")
    assert left == DRAINED
    assert journal == ("drain", sorted(steps), {"enable-bgp": "true"})


def test_a_restore_killed_at_every_step_ends_in_service(lab: Lab) -> None:
    before = world(lab)
    kit.run_ok(lab, "node", "drain", NODE, *FAST)
    for step in [step.name for step in node_restore(RestoreOptions(NODE), "run")][:-1]:
        with start(lab, "restore") as run:
            run.until(step)
            run.kill()
    kit.run_ok(lab, "node", "restore", NODE)
    eventually(lambda: world(lab) == before, why="as if nothing had happened")
    assert lease(lab) is None


def test_a_second_drain_is_refused_by_the_name_of_the_first(lab: Lab) -> None:
    """A holder that renews its Lease lives: whoever comes second is told its name, and the first finishes."""
    with start(lab, "drain", "--settle", "15") as first:
        claimed = first.until("Settled")
        assert claimed["state"] == "waiting"
        journal = kit.journal(lab, NODE)
        assert journal is not None
        told = kit.run_ok(lab, "node", "status", NODE, "-o", "json").document["nodes"][0]
        assert (told["service"], told["holder"]) == ("draining", journal.holder)
        second = kit.run(lab, "node", "drain", NODE, "-o", "json")
        assert second.code == 3
        assert second.document["status"] == "blocked"
        assert journal.holder in second.document["message"]
        assert first.finish(60).code == 0


def test_an_interrupted_drain_says_how_to_go_on_and_does(lab: Lab) -> None:
    with start(lab, "drain", "--settle", "30") as run:
        run.until("Settled")
        run.interrupt()
        ended = run.finish(5)
    assert ended.code == 130
    assert ended.document["status"] == "interrupted"
    assert f"node drain {NODE}" in ended.document["hint"]
    assert lease(lab) == FREE_AND_KEPT
    assert "interrupted at Settled: " in ended.document["message"]
    told = kit.run_ok(lab, "node", "status", NODE, "-o", "json").document["nodes"][0]
    assert (told["service"], told["running"]) == ("drain-stopped", False)
    assert told["stopped"].startswith("interrupted at Settled")
    kit.run_ok(lab, "node", "drain", NODE, *FAST)


def test_a_budget_holds_the_drain_until_its_deadline_and_is_named(lab: Lab) -> None:
    budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/api"
    minimum = lab.client().get(budget)["spec"]["minAvailable"]
    assert kit.gather_pods(lab, NODE)
    lab.client().patch(budget, {"spec": {"minAvailable": lab.client().get(budget)["status"]["expectedPods"]}})
    eventually(lambda: lab.client().get(budget)["status"]["disruptionsAllowed"] == 0)

    refused = kit.run(lab, "node", "drain", NODE, *FAST)
    assert refused.code == 3 and kit.journal(lab, NODE) is None
    assert "203.0.113.20/32 (Service default/api)" in refused.out
    assert (
        f"to go on anyway:\n        bgpctl node drain {NODE} --settle 0 --allow-address-gap\n" in refused.out
    )
    flags = ("node", "drain", NODE, "--timeout", "3s", *GATHERED)
    foreseen = kit.run_ok(lab, *flags, "--dry-run").out
    assert "it would wait now: PodDisruptionBudget default/api allows 0 disruptions" in foreseen
    ran = kit.run(lab, *flags, "-o", "json")
    assert (ran.document["status"], ran.code) == ("deadline", 4)
    assert "disruption budget api" in ran.document["message"]
    assert "PodDisruptionBudget default/api allows 0 disruptions" in ran.document["message"]
    pdb = "to see what holds it back: kubectl get pdb api -n default"
    assert any(line.startswith(pdb) for line in ran.document["hint"].splitlines())
    assert f"to go on (--timeout gives it longer): bgpctl node drain {NODE}" in ran.document["hint"]
    text = kit.run(lab, *flags)
    assert text.code == 4
    assert "disruption budget api" in " ".join(text.out.split())
    assert lab.node_state(NODE)["phase"] == "Running", "its pods are there, so it still announces"

    lab.client().patch(budget, {"spec": {"minAvailable": minimum}})
    kit.run_ok(lab, "node", "drain", NODE, *GATHERED)


def test_an_outage_of_the_api_is_survived(lab: Lab) -> None:
    with start(lab, "drain", "--order", "withdraw-first", *FAST) as run:
        run.until("Deselected", "acting")
        lab.api.faults.outage(3)
        ended = run.finish()
    assert ended.code == 0, ended.err
    assert ended.document["proof"] == "confirmed"


def test_a_dry_run_changes_nothing(lab: Lab) -> None:
    before = wanted(lab)
    ran = kit.run_ok(lab, "node", "drain", NODE, "--dry-run", "-o", "json")
    assert ran.document["status"] == "planned"
    assert [step["step"] for step in ran.document["steps"]] == drain_steps("guide")
    assert wanted(lab) == before


def test_an_admins_own_cordon_stays(lab: Lab) -> None:
    lab.client().patch(f"{kit.NODES}/{NODE}", {"spec": {"unschedulable": True}})
    kit.run_ok(lab, "node", "drain", NODE, *FAST)
    ran = kit.run_ok(lab, "node", "restore", NODE)
    assert "still cordoned" in ran.out
    assert kit.node(lab, NODE)["spec"]["unschedulable"] is True
    lab.client().patch(f"{kit.NODES}/{NODE}", {"spec": {"unschedulable": None}})


def test_a_node_that_was_taken_out_by_hand_counts(lab: Lab) -> None:
    other, before = f"{kit.NODES}/worker-3", kit.node(lab, NODE)
    lab.client().patch(other, {"metadata": {"labels": {"enable-bgp": "false"}}})
    try:
        ran = kit.run(lab, "node", "drain", NODE, "-o", "json", *GATHERED)
    finally:
        lab.client().patch(other, {"metadata": {"labels": {"enable-bgp": "true"}}})
    assert ran.code == 3
    assert "worker-3 (by hand: label enable-bgp=false) is out of service already" in ran.document["message"]
    assert "--max-unavailable 2" in ran.document["hint"]
    assert kit.node(lab, NODE)["metadata"].get("annotations") == before["metadata"].get("annotations")
    eventually(lambda: lab.node_state("worker-3")["phase"] == "Running")


def test_a_label_of_ones_own_takes_the_node_out(lab: Lab) -> None:
    ran = kit.run_ok(lab, "node", "drain", NODE, "--deselect-label", "enable-bgp-", "-o", "json", *FAST)
    assert ran.document["proof"] == "confirmed"
    assert "enable-bgp" not in kit.node(lab, NODE)["metadata"]["labels"]
    kit.run_ok(lab, "node", "restore", NODE)
    assert kit.node(lab, NODE)["metadata"]["labels"]["enable-bgp"] == "true"


def test_a_policy_without_a_selector_cannot_be_left(lab: Lab) -> None:
    policy = lab.client().get(kit.POLICY)
    selector = policy["spec"].pop("nodeSelector")
    policy = lab.client().replace(kit.POLICY, policy)
    ran = kit.run(lab, "node", "drain", NODE, "-o", "json")
    assert ran.code == 3
    assert "rack-1 selects every node" in ran.document["message"]
    assert kit.journal(lab, NODE) is None
    policy["spec"]["nodeSelector"] = selector
    lab.client().replace(kit.POLICY, policy)


def test_a_node_that_somebody_brought_back_is_not_called_drained(lab: Lab) -> None:
    """The journal says that everything is done; the world says otherwise, and the world counts."""
    kit.run_ok(lab, "node", "drain", NODE, *FAST)
    lab.client().patch(f"{kit.NODES}/{NODE}", {"metadata": {"labels": {"enable-bgp": "true"}}})
    eventually(lambda: lab.node_state(NODE)["phase"] == "Running")
    kit.run_ok(lab, "node", "drain", NODE, *FAST)
    assert kit.node(lab, NODE)["metadata"]["labels"]["enable-bgp"] == "false"
    assert lab.node_state(NODE)["phase"] == "Withdrawn"


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 3), ("poweroff", 1)])
def test_the_shutdown_command_decides_the_end(lab: Lab, command: str, code: int, tmp_path: Path) -> None:
    if code == 1:  # it is there, and its interpreter is not
        (tmp_path / command).write_text("#!/nonexistent/sh\n")
        (tmp_path / command).chmod(0o700)
        command = str(tmp_path / command)
    ran = kit.run(lab, "node", "drain", NODE, "--shutdown-command", command, "-o", "json", *FAST)
    assert ran.code == code, ran.document
    assert ran.document["evidence"]["proof"] == "confirmed"
    if code:
        assert command in ran.document["message"]
        assert "safe to power off when its shutdown command began" in ran.document["hint"]


def test_a_shutdown_command_that_is_not_there_is_found_out_before_anything_is_done(lab: Lab) -> None:
    before = kit.node(lab, NODE)
    for flags in ((), ("--dry-run",)):
        ran = kit.run(lab, "node", "drain", NODE, "--shutdown-command", "/nonexistent/poweroff", *flags)
        assert (ran.code, ran.out) == (2, ""), "not even a header"
        assert "there is no program '/nonexistent/poweroff'" in ran.err
    for part in ("labels", "annotations"):
        assert kit.node(lab, NODE)["metadata"].get(part) == before["metadata"].get(part)


def test_a_node_that_does_not_exist_is_said_to_be_so(lab: Lab) -> None:
    ran = kit.run(lab, "node", "drain", "worker-9")
    assert ran.code == 2
    assert "worker-9 does not exist" in ran.out + ran.err
    assert "kubectl get nodes" in ran.out + ran.err

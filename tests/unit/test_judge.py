"""`--dry-run=server`: the API server judges every write of a drain and of a restore, and keeps none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from bgpctl.cli import app, several
from bgpctl.cli.flags import MayDryRun
from bgpctl.cli.program import only
from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.runbooks import drain
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from tests.support import second_writer
from tests.support.direct import Wire, refused
from tests.support.second_writer import NODE, Rig, finish

FORCE = EvictionOptions(force=True)
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with second_writer.running() as started:
        monkeypatch.setattr(worlds, "build", partial(worlds.build, clock=started.clock, background=False))
        yield started


@pytest.fixture
def wire(rig: Rig) -> Iterator[Wire]:
    """Whose writes are all asked not to be kept, and are not."""
    made = rig.wire()
    before = rig.api.server.store._version
    yield made
    writes = [asked for asked in made.sent if asked.writes]
    assert writes and all(asked.query.get("dryRun") == "All" for asked in writes)
    assert rig.api.server.store._version == before, "nothing was kept"


def judged(wire: Wire, **options: Any) -> Result:
    asked = DrainOptions(NODE, **{"eviction": FORCE, **options})
    return finish(drain.plan(wire.client(), asked, server=True))


def budget(rig: Rig, name: str, allowed: int) -> None:
    spec = {"selector": {"matchLabels": {}}, "minAvailable": 1}
    rig.admin.create(BUDGETS, {"metadata": {"name": name}, "spec": spec})
    status = {
        "disruptionsAllowed": allowed,
        "desiredHealthy": 1,
        "currentHealthy": 1,
        "observedGeneration": 1,
    }
    rig.admin.patch(f"{BUDGETS}/{name}/status", {"status": status})


def sent(wire: Wire) -> list[str]:
    return [f"{asked.verb} {asked.resource}" for asked in wire.sent if asked.writes]


def texts(result: Result) -> dict[str, str]:
    return {report.step: report.text for report in result.steps}


@pytest.mark.parametrize("order", ["guide", "withdraw-first"])
def test_every_write_of_a_drain_is_judged(wire: Wire, order: str) -> None:
    result = judged(wire, order=order)
    assert (result.status, result.exit_code) == ("planned", 0)
    assert sorted(sent(wire)) == ["create leases", "create pods/eviction", *["patch nodes"] * 3]
    accepted = {step for step, text in texts(result).items() if "the API server accepts" in text}
    assert accepted == {"Claimed", "Checked", "Cordoned", "Evicted", "Deselected"}
    assert texts(result)["Evicted"].endswith("the API server accepts 1 eviction")


def test_deletions_past_the_budgets_are_judged_too(rig: Rig) -> None:
    budget(rig, "web", 0)
    wire, before = rig.wire(), rig.api.server.store._version
    result = judged(wire, eviction=EvictionOptions(force=True, disable_eviction=True, grace_period=3))
    assert result.status == "planned"
    (deletion,) = (asked for asked in wire.sent if asked.verb == "delete")
    assert deletion.document["dryRun"] == ["All"], "of a DELETE with a body the server reads no query"
    assert rig.api.server.store._version == before


def test_a_budget_that_allows_nothing_is_told(rig: Rig) -> None:
    budget(rig, "web", 0)
    wire, before = rig.wire(), rig.api.server.store._version
    result = judged(wire)
    assert (result.status, result.exit_code) == ("blocked", 3)
    assert result.message.startswith(
        "the API server refuses 1 of 1 eviction now: PodDisruptionBudget default/web allows 0 disruptions: "
    )
    assert result.message.endswith("(default/web-1)")
    assert "kubectl get pdb web -n default" in result.hint and "--disable-eviction" in result.hint
    assert rig.api.server.store._version == before


def test_two_budgets_on_one_pod_are_told(rig: Rig) -> None:
    budget(rig, "one", 1)
    budget(rig, "two", 1)
    result = judged(rig.wire())
    assert (result.status, result.exit_code) == ("blocked", 3)
    assert "more than one PodDisruptionBudget" in result.message
    assert [one["status"]["disruptionsAllowed"] for one in rig.admin.items(BUDGETS)] == [1, 1], (
        "none is spent"
    )


def test_a_right_that_is_missing_is_told(rig: Rig) -> None:
    wire = rig.wire()
    wire.before = lambda asked: (
        refused(403, "Forbidden") if f"{asked.verb} {asked.resource}" == "patch nodes" else None
    )
    result = judged(wire)
    assert (result.status, result.exit_code) == ("failed", 1)
    assert "bgpctl auth check" in result.hint


def test_a_restore_is_judged(rig: Rig) -> None:
    finish(drain.drain(rig.client(), DrainOptions(NODE, eviction=FORCE)))
    wire, before = rig.wire(), rig.api.server.store._version
    result = finish(drain.plan_restore(wire.client(), RestoreOptions(NODE), server=True))
    assert result.status == "planned"
    assert set(sent(wire)) == {"update leases", "patch nodes"}
    assert rig.api.server.store._version == before


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], "none"),
        (["--dry-run"], "client"),
        (["--dry-run=server"], "server"),
        (["--dry-run=server", "--dry-run=none"], "none"),
    ],
)
@pytest.mark.parametrize("command", ["drain", "restore"])
def test_a_dry_run_as_kubectl_has_it(command: str, words: list[str], meant: str) -> None:
    found = app.tree().commands["node"].commands[command]
    assert isinstance(found, MayDryRun)
    for line in ([*words, "worker-1"], ["worker-1", *words]):
        ctx = found.make_context(command, line)
        assert (ctx.params["dry_run"], ctx.params["nodes"]) == (meant, ("worker-1",))


def test_of_several_nodes_each_is_planned() -> None:
    ctx = app.tree().commands["node"].commands["drain"].make_context("drain", ["--dry-run", "a", "b"])
    with only(CommandLine(("bgpctl", "node", "drain", "--dry-run", "a", "b"))):
        assert list(several._about(ctx, ("a",), ("a", "b"))) == ["bgpctl", "node", "drain", "a", "--dry-run"]

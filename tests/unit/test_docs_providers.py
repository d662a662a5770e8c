"""docs/providers.md says what the code says: constants, rights, names and tests."""

from __future__ import annotations

import re
from pathlib import Path

from bgpctl import providers
from bgpctl.core.calico import bird, config, leave, nodestatus
from bgpctl.core.calico import states as calico_states
from bgpctl.core.cilium import copies, nodeconfig, states
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.frr_k8s import leave as frr_leave
from bgpctl.core.frr_k8s import told
from bgpctl.providers import calico_stack, frr_k8s_stack, metallb_stack
from bgpctl.providers.cilium_stack import NEEDED
from bgpctl.providers.unsupported import ISOVALENT, OPENPEROUTER

ROOT = Path(__file__).parents[2]
TEXT = " ".join((ROOT / "docs" / "providers.md").read_text().split())


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) == 8, "one for each row of the table of mistakes"
    assert not {name for name in named if f"def {name}(" not in text}


def test_it_has_a_column_for_each_provider() -> None:
    lines = (ROOT / "docs" / "providers.md").read_text().splitlines()
    heads = [line for line in lines if line.startswith("| | `")]
    refused = {ISOVALENT.name, OPENPEROUTER.name}
    assert {name for head in heads for name in re.findall(r"`([\w-]+)`", head)} == set(
        providers.TABLE
    ) - refused
    assert {f"`{name}`" for name in refused} <= set(re.findall(r"`\w+`", TEXT))


def test_every_right_that_is_asked_for_is_told() -> None:
    ours = (*frr_k8s_stack.NEEDED, *metallb_stack.NEEDED)
    needed = (*NEEDED, *calico_stack.needed("projectcalico.org"), *ours)
    wanted = {f"`{verb} {resource}`" for verb, _, resource, _ in needed}
    assert not {right for right in wanted if right not in TEXT}


def test_its_numbers_and_names_are_those_of_the_code() -> None:
    assert f"at most {states.LAG:g} s" in TEXT
    assert f"younger than {copies.SETTLE_SECONDS:g} s" in TEXT
    assert f"at most {calico_states.LAG:g} s while calico-node lives" in TEXT
    assert f"started less than {bird.RECOVERY_SECONDS:g} s ago" in TEXT
    assert f"looked at every {nodestatus.PERIOD_SECONDS} s, written on change" in TEXT
    assert f"BGPSessionState at most {told.SESSION_LAG:g} s" in TEXT
    for name in (
        frr_leave.name_for("NODE"),
        frr_leave.LIST,
        frr_leave.HOSTNAME,
        leave.FILTER,
        f"{nodestatus.LABEL}={nodestatus.LABELLED}",
        nodestatus.name_for("NODE"),
        f"{EXCLUDE}=true",
        f"{config.MAINTENANCE}={config.MAINTAINED}",
        f"NAME{nodeconfig.SUFFIX}",
        f"{copies.LABEL}={copies.LABELLED}",
        nodeconfig.ANNOTATION,
        f"{nodeconfig.LABEL}={nodeconfig.LABELLED}",
    ):
        assert f"`{name}`" in TEXT


def test_it_is_found_from_the_readme() -> None:
    assert "docs/providers.md" in (ROOT / "README.md").read_text()

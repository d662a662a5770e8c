"""Shared fixtures, and the block that ends every run with what it did not test."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.support import require, sample
from tests.support.routers import helper_kind, router_kind, workshop

# A run in the background of a script starts with SIGINT ignored, and its children would inherit that: ^C
# could not be tested. A handler is not inherited, so children get the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Who runs the tests has a terminal of some width, and xdist gives its processes one: a test says its own.
os.environ.pop("COLUMNS", None)

# Nor does it matter which defaults of flags that person has.
os.environ["BGPCTL_CONFIG"] = os.devnull

# A busy machine is no fault of the code: no deadline, no complaint about slow inputs. CI judges a change and
# must judge the same twice; a person's runs go on exploring.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("calm", CALM)
settings.register_profile("ci", CALM, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "calm")

__all__ = ["helper_kind", "router_kind", "workshop"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With BGPCTL_SAMPLE=SEED, two of the routers of each test that runs once per router; so of stacks."""
    if not sample.seed():
        return
    tests = {item.nodeid: where for item in items if (where := _varied(item)) is not None}
    out = sample.left_out(tests, sample.seed())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in out])
    items[:] = [item for item in items if item.nodeid not in out]


def _varied(item: pytest.Item) -> tuple[str, str] | None:
    """The test without its router or stack, and which that is, of a test that runs once for each."""
    parameters = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    one = next((parameters[name] for name in sample.VARIED if name in parameters), None)
    test, _, words = item.nodeid.partition("[")
    return (f"{test}[{words.replace(one, '', 1)}", one) if isinstance(one, str) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End the run with `this run did not test: …` and what to install for each missing part."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    missing = require.missing(said[2] for said in skipped if isinstance(said, tuple))
    for number, line in enumerate(require.closing_block(missing)):
        if number == 0:
            terminalreporter.section(line, yellow=True)
        else:
            terminalreporter.write_line(line)

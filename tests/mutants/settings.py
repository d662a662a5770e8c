"""What is mutated, by which tests it is judged, and what is good enough."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TARGETS = ("bgpctl/core", "bgpctl/witness", "bgpctl/runbooks", "bgpctl/queries", "bgpctl/kube/lease.py")
TESTS = ("tests/unit", "tests/crash", "tests/mutants/stories.py")
# Files that start programs or the embedded API: what they say of the targets, faster tests say too; and one
# that reads all of the code and runs none.
LEFT_OUT = (
    "tests/unit/test_api_*.py",
    "tests/unit/test_check.py",
    "tests/unit/test_cli_errors.py",
    "tests/unit/test_cli_peers.py",
    "tests/unit/test_cli_policy.py",
    "tests/unit/test_cli_startup.py",
    "tests/unit/test_completions.py",
    "tests/unit/test_docstrings.py",
    "tests/unit/test_exabgp_config.py",
    "tests/unit/test_exabgp_events.py",
    "tests/unit/test_exabgp_internals.py",
    "tests/unit/test_exabgp_inventory.py",
    "tests/unit/test_exabgp_writing.py",
    "tests/unit/test_host.py",
    "tests/unit/test_lab_*.py",
    "tests/unit/test_matrix.py",
    "tests/unit/test_mutants.py",
    "tests/unit/test_publish.py",
    "tests/unit/test_readiness.py",
    "tests/unit/test_source.py",
    "tests/unit/test_unreadable_state.py",
)

ACCEPTED = Path(__file__).with_name("accepted.txt")
# Killed / all, the accepted ones left out of both.
THRESHOLD = 0.95

# hypothesis: so many examples for one test and one mutant, always the same ones.
EXAMPLES = 25
# A test that takes longer (seconds of CPU, and of waiting for others) is not run against mutants.
SLOWEST_TEST = 1.0
LONGEST_WAIT = 10.0
# So many seconds of tests (CPU) are run against one mutant, the most promising first.
BUDGET = 4.0
# A test of a mutant may use so much CPU (seconds): a constant, and a multiple of what it takes.
CPU_LIMIT = (1.0, 10.0)
# A whole mutant may take so long (seconds of wall time): for the ones that wait instead of computing.
WALL_LIMIT = 60.0
MEMORY_LIMIT = 4 << 30

CACHE = ROOT / ".pytest_cache" / "mutants"

"""`python -m tests.drills [--router R]… [--write]`: every drill on every router, and docs/operation-guide.md.

Runs `bgpctl lab drill all` as a user would, one router after the other. Exit code 0 when all went as
foretold, 1 when one did not. A router that is missing is named, and is a failure with BGPCTL_REQUIRE=all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgpctl.core.timing.drills import Setting
from bgpctl.lab.drill.drill import ROUTERS
from bgpctl.render.drill import NAMES
from tests.support import require
from tests.traffic.__main__ import machine

DOCUMENT = Path("docs/operation-guide.md")
_WRITTEN = re.compile(r"(?<=-->\n)(.*\n)?(?=<!-- end -->)", re.DOTALL)

Drill = Mapping[str, Any]
Row = tuple[str, str, str]
"""Scenario, setting, class of routes."""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("--router", action="append", choices=ROUTERS, help="default: all; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT} with what was run")
    asked = parser.parse_args(words)
    wanted = asked.router or ROUTERS
    missing = Counter(part for part in ("netns", *wanted) if not require.PARTS[part].present())
    drills: list[Drill] = []
    for kind in wanted:
        if not missing["netns"] and not missing[kind]:
            drills += _run(kind)
    print("\n".join((*markdown(drills), "", summary(drills))))
    if drills and asked.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), drills, machine()))
    print("\n".join(require.closing_block(missing)), end="\n" if missing else "", file=sys.stderr)
    lacking = bool(missing) and os.environ.get(require.VARIABLE) == "all"
    return int(lacking or not all(one["passed"] for one in drills))


def _run(kind: str) -> list[Drill]:
    argv = (sys.executable, "-m", "bgpctl", "lab", "drill", "all", "--router", kind, "-o", "json")
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True)
    document = json.loads(done.stdout)
    found: list[Drill] = document.get("drills", [])
    if not found:
        raise SystemExit(document.get("message", f"{kind}: nothing was run"))
    return found


# --- the table (pure) ---------------------------------------------------------------------------------------


def written(document: str, drills: Sequence[Drill], told: str) -> str:
    """The document with these drills between its marks."""
    return _WRITTEN.sub("\n".join(("", *markdown(drills), "", summary(drills), told, "\n")), document)


def markdown(drills: Sequence[Drill]) -> Iterator[str]:
    """A row per scenario, setting and class of routes, a column per router that was run."""
    found: dict[Row, dict[str, str]] = {}
    for one in drills:
        for row, word in _words(one):
            found.setdefault(row, {})[one["router"]] = word
    routers = [kind for kind in NAMES if any(kind in words for words in found.values())]
    yield _line("drill", "with", "requests to", *(NAMES[kind] for kind in routers))
    yield "|---" * (3 + len(routers)) + "|"
    before = ""
    for (scenario, setting, routes), words in found.items():
        name = "" if scenario == before else f"`{scenario}`"
        before = scenario
        yield _line(name, setting, routes, *(words.get(kind, "not run") for kind in routers))


def _words(one: Drill) -> Iterator[tuple[Row, str]]:
    fields = ("holdTimeSeconds", "keepAliveTimeSeconds", "restartTimeSeconds", "notification")
    setting = str(Setting(*(one[field] for field in fields)))
    for row in one["routes"]:
        yield (one["scenario"], setting, row["routes"]), _word(row, one["problem"])
    if not one["routes"]:
        yield (one["scenario"], setting, ""), f"FAILED: {one['problem']}"


def _word(row: Mapping[str, Any], problem: str) -> str:
    """`8.2 s (5–9)`: for how long requests were lost, and what the forecast allowed."""
    worst = row["worstSeconds"]
    allowed = f"{_number(row['bestSeconds'])}–{'∞' if worst is None else _number(worst)}"
    word = f"{row['lostSeconds']:.1f} s ({allowed})" if row["lost"] else f"0 ({allowed})"
    if problem:
        return f"{word} FAILED: {problem}"
    return word if row["verdict"] == "held" else f"{word} {row['verdict'].upper()}"


def _number(seconds: float) -> str:
    return f"{round(seconds, 1):g}"


def summary(drills: Sequence[Drill]) -> str:
    """How many went as foretold, and the requests that it took."""
    failed = sum(not one["passed"] for one in drills)
    sent = sum(row["sent"] for one in drills for row in one["routes"])
    return f"{len(drills)} drills, {failed} not as foretold; {sent} requests after the events."


def _line(*words: str) -> str:
    return f"| {' | '.join(words)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The doctor: rules about a cluster's BGP, and what they say of it. Pure; `queries.doctor` gathers the facts.

One file per theme, each with its part of the table. To add a rule: a function `(Facts) -> Iterable[Said]`
whose docstring is its page, a row in its file's `RULES`, two cases in tests/unit/test_doctor_rules.py, and
`python -m tests.doctor_page`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import ModuleType

from bgpctl.core.doctor import (
    leftovers,
    policy,
    restart,
    routers,
    services,
    sessions,
    speaker,
    surroundings,
    timers,
)
from bgpctl.core.doctor.facts import Facts
from bgpctl.core.doctor.finding import GRAVITY, Finding, Report, Row, Rule, Unchecked

THEMES: Mapping[str, ModuleType] = {
    "Sessions and routes": sessions,
    "Graceful restart": restart,
    "Timers and BFD": timers,
    "Speakers": speaker,
    "Policies": policy,
    "Services and address pools": services,
    "Routers": routers,
    "What runs left": leftovers,
    "Surroundings": surroundings,
}

RULES: Sequence[Rule] = tuple(rule for theme in THEMES.values() for rule in theme.RULES)


def examine(facts: Facts, scope: Collection[str] = (), rules: Sequence[Rule] = RULES) -> Report:
    """Ask every rule whose facts are known. `scope`: only what is about these nodes, or about no certain one;
    () = about all."""
    rows: list[Row] = []
    unchecked: list[Unchecked] = []
    asked = 0
    for rule in rules:
        lacking = [name for name in rule.needs if getattr(facts, name) is None]
        if lacking:
            why = facts.missing.get(lacking[0], f"{lacking[0]} are not known")
            unchecked.append(Unchecked(rule.name, why))
            continue
        asked += 1
        _ask(rule, facts, scope, rows, unchecked)
    rows.sort(key=lambda row: -GRAVITY.index(row.severity))
    count = len(scope) if scope else len(facts.nodes)
    return Report(tuple(rows), tuple(unchecked), asked, count)


def _ask(
    rule: Rule, facts: Facts, scope: Collection[str], rows: list[Row], unchecked: list[Unchecked]
) -> None:
    """What says the same of several objects is one row."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    unknown: dict[str, int] = {}
    for said in rule.check(facts):
        if scope and said.node and said.node not in scope:
            continue
        if isinstance(said, Finding):
            found.setdefault((said.why, _common(said)), {})[said.object] = None
        else:
            unknown[said.why] = unknown.get(said.why, 0) + 1
    rows += [
        Row(rule.name, rule.severity, tuple(objects), why, _fix(fix, objects))
        for (why, fix), objects in found.items()
    ]
    unchecked += [Unchecked(rule.name, why, count) for why, count in unknown.items()]


NODE = "\0"
"""In a command that is the same for every node, in place of its name."""


def _common(said: Finding) -> str:
    if not said.node:
        return said.fix
    return re.sub(rf"(?<![\w.-]){re.escape(said.node)}(?![\w.-])", NODE, said.fix)


def _fix(fix: str, objects: Iterable[str]) -> str:
    """The command of one row: of several nodes, that of the first, as it is to be typed."""
    return fix.replace(NODE, next(iter(objects)).split(" ")[0])

"""The tests that may notice a mutant, the most promising first."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import PurePath

from tests.mutants.seeing import Map, Place, Seen
from tests.mutants.settings import BUDGET, ROOT
from tests.mutants.source import Mutant, Source

REMEMBERED = 6  # killers per function


class Choice:
    """Learns from every kill: mutants of one function die by the same few tests."""

    def __init__(self, known: Map, sources: Sequence[Source]) -> None:
        self.known = known
        self._sources = sources
        self._killers: dict[tuple[str, str], list[str]] = {}

    def killed(self, mutant: Mutant, test: str) -> None:
        before = self._killers.setdefault(_unit(mutant), [])
        self._killers[_unit(mutant)] = [test, *(name for name in before if name != test)][:REMEMBERED]

    def tests(self, mutant: Mutant) -> list[Seen]:
        """In order, cut where they take longer together than a mutant may cost."""
        killers = self._killers.get(_unit(mutant), [])
        found = sorted(
            self._candidates(mutant),
            key=lambda test: (
                killers.index(test.name) if test.name in killers else REMEMBERED,
                not _of(test, mutant),
                mutant.source.module not in self._imports[test.file],
                test.seconds,
            ),
        )
        spent, chosen = 0.0, []
        for test in found:
            spent += test.seconds
            if spent < BUDGET or not chosen:
                chosen.append(test)
        return chosen

    def _candidates(self, mutant: Mutant) -> Collection[Seen]:
        here = (mutant.source.path, mutant.line)
        executing = self.known.executing(here)
        if mutant.inside and (executing or here not in self.known.imported):
            return executing
        names = _made_with(mutant.source.tree, _names(mutant))
        places = {place for name in names for place in self._mentions.get(name, ())}
        if mutant.inside or not names:  # what an import makes (a table) is used by the file's other functions
            places |= {place for place in self._statements if place[0] == mutant.source.path}
        found = {test.name: test for place in places for test in self.known.executing(place)}
        said = {file for file, words in self._words.items() if words & names}
        # A value in a table of values (`ROWS = (A, B)`) is mentioned by no statement that a test executes.
        near = {test.name: test for test in self.known.tests if test.file in said or _of(test, mutant)}
        return [test for test in (found | near).values() if test.usable]

    @cached_property
    def _mentions(self) -> dict[str, set[Place]]:
        """The statements that say a name."""
        found: dict[str, set[Place]] = {}
        for source in self._sources:
            for statement in _statements(source.tree):
                for name in _said(statement):
                    found.setdefault(name, set()).add((source.path, statement.lineno))
        return found

    @cached_property
    def _statements(self) -> set[Place]:
        return {
            (source.path, statement.lineno)
            for source in self._sources
            for statement in _statements(source.tree)
        }

    @cached_property
    def _imports(self) -> dict[str, set[str]]:
        """The modules that each file of tests names: what is executed everywhere is looked at by few."""
        files = {test.file for test in self.known.tests}
        return {file: set(_imported(ast.parse((ROOT / file).read_text()))) for file in files}

    @cached_property
    def _words(self) -> dict[str, set[str]]:
        """The words of each file of tests."""
        return {
            file: set(re.findall(r"\w+", (ROOT / file).read_text()))
            for file in {t.file for t in self.known.tests}
        }


def _of(test: Seen, mutant: Mutant) -> bool:
    """Is it in a file that is named after the mutant's?"""
    return PurePath(test.file).name.startswith(f"test_{PurePath(mutant.source.path).stem}")


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _unit(mutant: Mutant) -> tuple[str, str]:
    return mutant.source.path, mutant.function


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _said(statement: ast.stmt) -> Iterator[str]:
    """The names in a statement, not in those that it has inside."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt))


def _made_with(module: ast.Module, names: set[str]) -> set[str]:
    """These, and what the module defines with them (a table within a table)."""
    while True:
        more = {
            name
            for statement in module.body
            if isinstance(statement, ast.Assign | ast.AnnAssign) and names & set(_said(statement))
            for name in _targets(statement)
        }
        if more <= names:
            return names
        names = names | more


def _names(mutant: Mutant) -> set[str]:
    """What a statement outside of functions defines, with the class that it is in."""
    names = set(mutant.function.split(".")) - {""}
    statement = mutant.statement
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        names.add(statement.name)
    return names | set(_targets(statement))


def _targets(statement: ast.stmt) -> Iterator[str]:
    """The names that it gives values; of `A, B = 1, 2` both."""
    targets: Iterable[ast.expr] = getattr(statement, "targets", None) or [
        getattr(statement, "target", ast.Tuple())
    ]
    parts = (part for target in targets for part in ast.walk(target))
    yield from (part.id for part in parts if isinstance(part, ast.Name))

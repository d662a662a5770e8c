"""Which statements of the product does each test execute? Measured once, kept per file of tests.

A call that notes its place stands before every statement of the targets; what the tests, pytest and
hypothesis do themselves costs nothing extra, as it would with a tracer. A test that turns out to be too slow
to be run against mutants is ended: the few that are would take most of the time.
"""

from __future__ import annotations

import ast
import builtins
import gc
import hashlib
import json
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from types import CodeType

import pytest

from tests.mutants import harness, importing, workers
from tests.mutants.settings import CACHE, LEFT_OUT, LONGEST_WAIT, ROOT, SLOWEST_TEST
from tests.mutants.source import Source

Place = tuple[str, int]  # a file of the product, and the first line of a statement


@dataclass(frozen=True)
class Seen:
    """One test: how many seconds of CPU it takes, how many it waits, whether it passes, what it executes."""

    name: str
    seconds: float
    waits: float
    passed: bool
    places: frozenset[Place]

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]

    @property
    def usable(self) -> bool:
        return self.passed and self.seconds < SLOWEST_TEST and self.waits <= LONGEST_WAIT


class Map:
    """All tests by what they execute. `imported`: what runs when modules and tests are imported; `empty`: the
    files in which no test was found, because they cannot be imported, say."""

    def __init__(self, tests: Sequence[Seen], imported: frozenset[Place], empty: Sequence[str]) -> None:
        self.tests = tests
        self.imported = imported
        self.empty = empty

    @cached_property
    def _executing(self) -> dict[Place, list[Seen]]:
        found: dict[Place, list[Seen]] = {}
        for test in self.tests:
            for place in test.places if test.usable else ():
                found.setdefault(place, []).append(test)
        return found

    def executing(self, place: Place) -> Sequence[Seen]:
        return self._executing.get(place, ())

    @property
    def failed(self) -> list[str]:
        return [test.name for test in self.tests if not test.passed]


# --- measuring ----------------------------------------------------------------------------------------------


def measured(sources: Sequence[Source], files: Sequence[str], jobs: int, scratch: str) -> Map:
    """The map of these files of tests; those whose part is kept are not run."""
    paths = {file: CACHE / f"{_key(file)}.json" for file in files}
    missing = {file: path for file, path in paths.items() if not path.exists()}
    CACHE.mkdir(parents=True, exist_ok=True)
    if missing:
        queue = workers.Queue(range(len(missing)))
        workers.together(
            min(jobs, len(missing)), lambda worker: _measure(sources, missing, queue, f"{scratch}/{worker}")
        )
    parts = [json.loads(path.read_text()) for path in paths.values()]
    tests = [Seen(**{**test, "places": _places(test["places"])}) for part in parts for test in part["tests"]]
    imported = frozenset().union(*(_places(part["imported"]) for part in parts))
    return Map(tests, imported, [file for file, part in zip(paths, parts, strict=True) if not part["tests"]])


def test_files(words: Iterable[str]) -> list[str]:
    """The files of tests under these paths, relative to the root, without those that are left out."""
    found = (path for word in words for path in sorted((ROOT / word).rglob("test_*.py")) or [ROOT / word])
    names = (str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if not any(fnmatch(name, pattern) for pattern in LEFT_OUT)]


def _measure(
    sources: Sequence[Source], missing: Mapping[str, Path], queue: workers.Queue, scratch: str
) -> None:
    """Run the tests of the files that the queue names, and write each file's part."""
    files = list(missing)
    seen: set[int] = set()
    builtins.__seen__ = seen.add  # type: ignore[attr-defined]
    importing.exchange(
        {
            source.module: (source.path, lambda number=number, source=source: _noting(number, source))  # type: ignore[misc]
            for number, source in enumerate(sources)
        }
    )

    def take(items: list[pytest.Item]) -> None:
        imported = _named(seen, sources)
        by_file = {
            file: list(group) for file, group in groupby(items, lambda item: item.nodeid.partition("::")[0])
        }
        caches = harness.caches()
        gc.freeze()
        for number in queue:
            tests = [asdict(_run(item, seen, sources, caches)) for item in by_file.get(files[number], ())]
            part = {"tests": tests, "imported": imported}
            missing[files[number]].write_text(json.dumps(part, default=_by_file))

    harness.collect(files, scratch, take, Cut())


class TooSlow(BaseException):
    """Nobody needs more of this test."""


class Cut:
    """Ends a test when it has taken as much CPU as one may that is run against mutants."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        signal.signal(signal.SIGPROF, self._end)
        signal.setitimer(signal.ITIMER_PROF, SLOWEST_TEST, SLOWEST_TEST)  # again where that was caught
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _end(self, *_: object) -> None:
        raise TooSlow


def _run(item: pytest.Item, seen: set[int], sources: Sequence[Source], caches: Sequence[object]) -> Seen:
    for kept in caches:
        kept.cache_clear()  # type: ignore[attr-defined]
    seen.clear()
    start, spent = time.monotonic(), time.process_time()
    passed = harness.passes(item)
    seconds = round(time.process_time() - spent, 5)
    waits = round(max(0.0, time.monotonic() - start - seconds), 5)
    return Seen(item.nodeid, seconds, waits, passed or seconds >= SLOWEST_TEST, _named(seen, sources))


_FILE = 100_000  # a place is one number: the file's times this, and the line


def _named(seen: Iterable[int], sources: Sequence[Source]) -> frozenset[Place]:
    return frozenset((sources[number // _FILE].path, number % _FILE) for number in seen)


def _by_file(places: Iterable[Place]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for path, line in places:
        found[path].append(line)
    return found


def _places(read: Mapping[str, Sequence[int]]) -> frozenset[Place]:
    return frozenset((path, line) for path, lines in read.items() for line in lines)


class _Notes(ast.NodeTransformer):
    """Puts `__seen__(place)` before every statement."""

    def __init__(self, number: int) -> None:
        self._start = number * _FILE

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, list(self._noted(statements)))
        return node

    def _noted(self, statements: list[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in statements:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            if not docstring and not future:
                place = ast.Constant(self._start + statement.lineno)
                note = ast.Expr(ast.Call(ast.Name("__seen__", ast.Load()), [place], []))
                yield ast.fix_missing_locations(ast.copy_location(note, statement))
            yield statement


def _noting(number: int, source: Source) -> CodeType:
    tree = _Notes(number).visit(ast.parse(source.file.read_text()))
    return compile(tree, str(source.file), "exec", dont_inherit=True)


def _key(file: str) -> str:
    """Changes with the product, with what all tests use, and with these tests."""
    return hashlib.sha256(_common() + (ROOT / file).read_bytes()).hexdigest()[:24]


@cache
def _common() -> bytes:
    digest = hashlib.sha256()
    files = [path for folder in ("bgpctl", "tests/support") for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in (*files, *(Path(__file__).with_name(name) for name in ("harness.py", "seeing.py"))):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.digest()

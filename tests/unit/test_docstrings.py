"""Public functions have docstrings, but for those whose name and types say all: a number per room that only
falls. A new function has one from the start, or takes the place of another in its room."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bgpctl"
ROOMS = sorted({file.relative_to(PACKAGE).parts[0] for file in PACKAGE.rglob("*.py")})

# What its name and its type say, or its class.
AT_MOST = {"conditions": 1, "core": 11, "kube": 7, "lab": 6, "runbooks": 24, "speaker": 12}

Classes = dict[str, list[ast.ClassDef]]
"""By name, which several may have."""


def classes(modules: Sequence[ast.Module]) -> Classes:
    found: Classes = {}
    for one in (node for module in modules for node in ast.walk(module)):
        if isinstance(one, ast.ClassDef):
            found.setdefault(one.name, []).append(one)
    return found


def bases(one: ast.ClassDef) -> set[str]:
    return {base.id for base in one.bases if isinstance(base, ast.Name)}


def members(one: ast.ClassDef | ast.Module, known: Classes) -> set[str]:
    """The names of its functions and attributes, of the inherited ones too."""
    found: set[str] = set()
    for node in one.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    if isinstance(one, ast.Module):
        return found
    inherited = (base for name in bases(one) - {"Protocol", one.name} for base in known.get(name, ()))
    return found.union(*(members(base, known) for base in inherited))


def undocumented(every: Sequence[ast.Module]) -> list[list[str]]:
    """Per module: its public functions and classes, and the public members of the latter: `Client.get`. Not
    what a class or a module does for a Protocol, in whose docstring the contract stands."""
    known = classes(every)
    ports = [one for some in known.values() for one in some if "Protocol" in bases(one)]
    contracts = [members(one, known) for one in ports if ast.get_docstring(one)]

    def walk(body: Sequence[ast.stmt], inside: str = "", told: Collection[str] = ()) -> Iterator[str]:
        for one in body:
            if not isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if one.name.startswith("_") or one.name in told:
                continue
            if ast.get_docstring(one) is None:
                yield inside + one.name
            if isinstance(one, ast.ClassDef):
                yield from walk(one.body, f"{inside}{one.name}.", kept(members(one, known)))

    def kept(has: set[str]) -> set[str]:
        return set[str]().union(*(contract for contract in contracts if contract <= has))

    return [list(walk(module.body, told=kept(members(module, known)))) for module in every]


@pytest.fixture(scope="module")
def found() -> dict[Path, list[str]]:
    files = sorted(PACKAGE.rglob("*.py"))
    names = undocumented([ast.parse(file.read_text()) for file in files])
    return {file.relative_to(PACKAGE): some for file, some in zip(files, names, strict=True)}


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_has_more_undocumented_functions_than_it_had(room: str, found: dict[Path, list[str]]) -> None:
    names = [f"{file}: {name}" for file, some in found.items() if file.parts[0] == room for name in some]
    assert len(names) <= AT_MOST.get(room, 0), "\n".join(("say what the name does not, in one line:", *names))


def test_every_room_of_the_table_is_there() -> None:
    assert AT_MOST.keys() <= set(ROOMS)


def test_what_counts_as_undocumented() -> None:
    module = ast.parse('''
class Port(Protocol):
    """Its methods stand in here."""
    def ask(self): ...
    def tell(self): ...
class Unsaid(Protocol):
    def silent(self): ...
class Base:
    """What it has is inherited."""
    ask = "asked"
class Adapter(Base):
    """Does it all."""
    def tell(self): ...
    def silent(self): ...
class Other:
    """Has only one of the two, which is therefore its own."""
    def tell(self): ...
    def __len__(self): ...
    def said(self):
        """So has this."""
        def inner(): ...
class _Hidden:
    def shown(self): ...
async def late(): ...
''')
    assert undocumented([module]) == [["Unsaid", "Unsaid.silent", "Adapter.silent", "Other.tell", "late"]]

"""The mutants of one file: where they are, what they read like, what they compile to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from tests.mutants.operators import Edit, Spot, edits, name_of

SHOWN = 60  # characters of a long statement on either side of the change


@dataclass(frozen=True)
class Mutant:
    """One edit of one statement. `function` is the qualified name of what it is in, "" = the module itself;
    `inside`: in the body of a function, so that it can be exchanged in a running program."""

    source: Source
    statement: ast.stmt
    function: str
    inside: bool
    edit: Edit

    @property
    def line(self) -> int:
        return self.statement.lineno

    @property
    def where(self) -> str:
        return f"{self.source.path}:{self.line}"

    def compiled(self) -> CodeType:
        with self.edit.applied():
            return self.source.compiled()

    def texts(self) -> tuple[str, str]:
        """The statement without its body, as it is and as a mutant: a line each, cut to the change."""
        before = _header(self.statement)
        if self._forgets_all():
            return _cut(before, "pass")
        with self.edit.applied():
            return _cut(before, _header(self.statement))

    def _forgets_all(self) -> bool:
        """Is it the whole statement that is replaced?"""
        place = getattr(self.edit.parent, self.edit.field)
        return self.edit.index is not None and place[self.edit.index] is self.statement

    @property
    def text(self) -> str:
        """How accepted.txt names it, within its function."""
        return " => ".join(self.texts())


def _header(statement: ast.stmt) -> str:
    text = ast.unparse(statement)
    if not isinstance(statement, ast.Match | ast.Try):
        bodies = getattr(statement, "body", None)
        return next(line for line in text.splitlines() if not line.startswith("@")) if bodies else _flat(text)
    return _flat(text)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cut(before: str, after: str) -> tuple[str, str]:
    """Both without the start and the end that they share, but for some characters of it."""
    start = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    left, right = max(0, start - SHOWN), max(0, end - SHOWN)
    return tuple(
        ("…" if left else "") + text[left : len(text) - right] + ("…" if right else "")
        for text in (before, after)
    )  # type: ignore[return-value]


@dataclass
class Source:
    """One file of the product. `path` is relative to the root, `module` its dotted name."""

    root: Path
    path: str
    tree: ast.Module = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.file.read_text())

    @property
    def file(self) -> Path:
        return self.root / self.path

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def compiled(self) -> CodeType:
        return compile(self.tree, str(self.file), "exec", dont_inherit=True)

    def mutants(self) -> Iterator[Mutant]:
        """All of them, in the order of the file."""
        for spot in _spots(self.tree, (), "", None):
            chain = (*spot.above, spot.node)
            statement = [node for node in chain if isinstance(node, ast.stmt)][-1]
            names = [node.name for node in spot.above if isinstance(node, ast.FunctionDef | ast.ClassDef)]
            # The arguments of a function are values of the place where it is defined.
            inside = spot.function is not None and not isinstance(statement, ast.FunctionDef)
            for edit in edits(spot):
                yield Mutant(self, statement, ".".join(names), inside, edit)


def _spots(node: ast.AST, above: tuple[ast.AST, ...], name: str, index: int | None) -> Iterator[Spot]:
    if above:
        if _left_out(node, above[-1], name):
            return
        yield Spot(node, name, index, above)
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for index, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield from _spots(child, (*above, node), name, index)
        elif isinstance(value, ast.AST):
            yield from _spots(value, (*above, node), name, None)


_SAID = {"cast", "TypeVar", "NewType", "debug", "info", "warning", "error", "exception"}


def _left_out(node: ast.AST, parent: ast.AST, name: str) -> bool:
    """What only a reader or a type checker sees."""
    if name in ("annotation", "returns", "decorator_list", "bases", "keywords") and not isinstance(
        parent, ast.Call
    ):
        return True
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assign) and isinstance(parent, ast.Module):
        types = isinstance(node.value, ast.Subscript) or (
            isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
        )
        return types or ast.unparse(node.targets[0]) in ("__all__", "__slots__")
    return name_of(node) in _SAID

"""The ways in which one node of a syntax tree may be wrong: a table from its type to small edits.

An edit replaces or removes one child of one node. Left out are changes that nobody could see or that every
run would notice: what only a reader sees (docstrings, annotations, messages), imports, decorators, and flips
that another mutant of the same place includes (`if a == b` becomes always and never, so not `a != b` too).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Edit:
    """`parent.field` (or its element `index`) becomes `new`, a node or a list of them; None removes it."""

    parent: ast.AST
    field: str
    index: int | None
    new: Any

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The tree is the mutant's inside, and as before after it."""
        before = getattr(self.parent, self.field)
        after: Any = self.new
        if self.index is not None:
            added = [] if self.new is None else [self.new]
            after = [*before[: self.index], *added, *before[self.index + 1 :]]
        setattr(self.parent, self.field, after)
        try:
            yield
        finally:
            setattr(self.parent, self.field, before)


@dataclass(frozen=True)
class Spot:
    """A node and where it hangs. `above`: the nodes around it, outermost first; the last is its parent."""

    node: ast.AST
    field: str
    index: int | None
    above: tuple[ast.AST, ...]

    @property
    def parent(self) -> ast.AST:
        return self.above[-1]

    @property
    def function(self) -> ast.FunctionDef | None:
        """The innermost function around it."""
        return next((node for node in reversed(self.above) if isinstance(node, ast.FunctionDef)), None)

    def replaced(self, new: ast.AST) -> Edit:
        return Edit(self.parent, self.field, self.index, ast.copy_location(new, self.node))

    def removed(self) -> Edit:
        return Edit(self.parent, self.field, self.index, None)


def edits(spot: Spot) -> Iterator[Edit]:
    """Every way in which this node may be wrong."""
    for kind, operator in OPERATORS:
        if isinstance(spot.node, kind):
            yield from operator(spot)


# --- comparisons and logic ------------------------------------------------------------------------------

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    # The first is the boundary; the last the negation, where there is no other.
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def compared(spot: Spot) -> Iterator[Edit]:
    for index, operator in enumerate(spot.node.ops):  # type: ignore[attr-defined]
        others = _COMPARED[type(operator)]
        for other in others[:-1] if decides(spot) else others:
            yield Edit(spot.node, "ops", index, other())


def decides(spot: Spot) -> bool:
    """Is this node a whole condition? Then both of its values are mutants already."""
    return spot.field == "test" or (
        spot.field == "value" and isinstance(spot.parent, ast.Return) and _returned(spot.function) == "bool"
    )


def joined(spot: Spot) -> Iterator[Edit]:
    node: ast.BoolOp = spot.node  # type: ignore[assignment]
    yield Edit(node, "op", None, ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for index in range(len(node.values)):
        rest = node.values[:index] + node.values[index + 1 :]
        yield spot.replaced(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))


def signed(spot: Spot) -> Iterator[Edit]:
    """`not x` -> `x`, `-x` -> `x`."""
    if not decides(spot):
        yield spot.replaced(spot.node.operand)  # type: ignore[attr-defined]


def branched(spot: Spot) -> Iterator[Edit]:
    """Always and never."""
    for value in (True, False):
        yield Edit(spot.node, "test", None, ast.copy_location(ast.Constant(value), spot.node))


def looped(spot: Spot) -> Iterator[Edit]:
    """A loop that is never entered."""
    if isinstance(spot.node, ast.For):
        yield Edit(spot.node, "iter", None, ast.copy_location(ast.Tuple([], ast.Load()), spot.node))
    else:
        yield Edit(spot.node, "test", None, ast.copy_location(ast.Constant(False), spot.node))


def filtered(spot: Spot) -> Iterator[Edit]:
    """A comprehension without one of its conditions."""
    for index in range(len(spot.node.ifs)):  # type: ignore[attr-defined]
        yield Edit(spot.node, "ifs", index, None)


# --- values ---------------------------------------------------------------------------------------------

_COUNT = 1000
# A name that a program reads; with a space in it, a person does.
_WORD = re.compile(r"[\w./:@*-]*")


def constant(spot: Spot) -> Iterator[Edit]:
    value = spot.node.value  # type: ignore[attr-defined]
    for other in _others(value):
        yield spot.replaced(ast.Constant(other))


def _others(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        # One more and one less is a boundary of a count; of a large or a measured number it is nothing.
        yield from (
            (value + 1, value - 1) if isinstance(value, int) and abs(value) <= _COUNT else (value * 2 + 1,)
        )
    elif isinstance(value, str) and _WORD.fullmatch(value):
        yield "" if value else "mutant"
    elif isinstance(value, bytes):
        yield b"" if value else b"mutant"


_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


def computed(spot: Spot) -> Iterator[Edit]:
    if isinstance(spot.node, ast.BinOp) and name_of(spot.parent) == "isinstance":
        yield spot.replaced(spot.node.left)
        yield spot.replaced(spot.node.right)
        return
    other = _COMPUTED.get(type(spot.node.op))  # type: ignore[attr-defined]
    if other:
        yield Edit(spot.node, "op", None, other())


def collected(spot: Spot) -> Iterator[Edit]:
    """A collection that lacks one of its elements. Not a record, whose length every reader relies on."""
    elements = spot.node.elts  # type: ignore[attr-defined]
    if isinstance(spot.node, ast.Tuple) and not _is_set(spot):
        return
    for index in range(len(elements)):
        yield Edit(spot.node, "elts", index, None)


def _is_set(spot: Spot) -> bool:
    parent = spot.parent
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Attribute | ast.Name)
    if isinstance(parent, ast.For | ast.comprehension):
        return spot.field == "iter"
    if isinstance(parent, ast.Assign | ast.AnnAssign):
        return spot.field == "value" and spot.function is None
    return isinstance(parent, ast.Compare | ast.ExceptHandler | ast.BinOp)


def entered(spot: Spot) -> Iterator[Edit]:
    """A dict that lacks one of its entries."""
    node: ast.Dict = spot.node  # type: ignore[assignment]
    for index in range(len(node.keys)):
        keys = node.keys[:index] + node.keys[index + 1 :]
        yield spot.replaced(ast.Dict(keys, node.values[:index] + node.values[index + 1 :]))


# --- calls ----------------------------------------------------------------------------------------------

_OPPOSITE = {"min": "max", "max": "min", "any": "all", "all": "any"}
_OPPOSITE |= {"startswith": "endswith", "endswith": "startswith", "removeprefix": "removesuffix"}
_SAME = {"sorted", "reversed", "abs", "strip", "lstrip", "rstrip", "lower", "upper", "casefold", "copy"}


def called(spot: Spot) -> Iterator[Edit]:
    """Without a keyword argument, without a default, with the opposite function, or without the call."""
    node: ast.Call = spot.node  # type: ignore[assignment]
    function, name = node.func, name_of(node)
    for index in range(len(node.keywords)):
        yield Edit(node, "keywords", index, None)
    if name == "get" and len(node.args) == 2:
        yield Edit(node, "args", 1, None)
    if name in _OPPOSITE:
        field = "id" if isinstance(function, ast.Name) else "attr"
        yield Edit(node, "func", None, _renamed(function, field, _OPPOSITE[name]))
    if name in _SAME:
        subject = function.value if isinstance(function, ast.Attribute) else node.args[0]
        yield spot.replaced(subject)


def name_of(call: ast.AST) -> str:
    """`f(…)` and `x.f(…)` -> f; of anything else ""."""
    function = getattr(call, "func", None)
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _renamed(function: ast.expr, field: str, name: str) -> ast.AST:
    fields = dict(ast.iter_fields(function)) | {field: name}
    return ast.copy_location(type(function)(**fields), function)


# --- statements -----------------------------------------------------------------------------------------

_DEFAULTS = {"bool": (), "int": (0,), "float": (0.0,), "str": ("",)}
_EMPTY: dict[str, Callable[[], ast.expr]] = {
    "tuple": lambda: ast.Tuple([], ast.Load()),
    "Sequence": lambda: ast.Tuple([], ast.Load()),
    "Iterable": lambda: ast.Tuple([], ast.Load()),
    "list": lambda: ast.List([], ast.Load()),
    "dict": lambda: ast.Dict([], []),
    "Mapping": lambda: ast.Dict([], []),
    "Document": lambda: ast.Dict([], []),
    "frozenset": lambda: ast.Call(ast.Name("frozenset", ast.Load()), [], []),
}


def _returned(function: ast.FunctionDef | None) -> str:
    """The type that a function says it returns: `tuple[int, ...]` -> tuple; with None among it, None."""
    if function is None or function.returns is None:
        return ""
    text = ast.unparse(function.returns)
    return "None" if text.endswith("| None") else text.partition("[")[0]


def returned(spot: Spot) -> Iterator[Edit]:
    """Another answer: both of a bool, the empty one of its type, else None."""
    value = spot.node.value  # type: ignore[attr-defined]
    if value is None:
        yield spot.replaced(ast.Pass())
        return
    kind = _returned(spot.function)
    if kind == "bool":
        answers: list[ast.expr] = [ast.Constant(True), ast.Constant(False)]
    elif kind in _EMPTY:
        answers = [_EMPTY[kind]()]
    else:
        answers = [ast.Constant(default) for default in _DEFAULTS.get(kind, (None,))]
    known = isinstance(value, ast.Constant) and (kind == "bool" or value.value is None)
    for answer in answers:
        if not known and ast.dump(answer) != ast.dump(value):
            yield Edit(spot.node, "value", None, ast.copy_location(answer, value))


def done(spot: Spot) -> Iterator[Edit]:
    """A statement that is forgotten, unless the condition around it is a mutant that forgets the same."""
    alone = isinstance(spot.parent, ast.If) and not spot.parent.orelse and len(spot.parent.body) == 1
    if not alone and _forgettable(spot):
        yield spot.replaced(ast.Pass())


def _forgettable(spot: Spot) -> bool:
    node = spot.node
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], ast.Name) or _again(spot, node.targets[0].id)
    if isinstance(node, ast.AnnAssign):
        return node.value is not None and not isinstance(node.target, ast.Name)
    return True


def _again(spot: Spot, name: str) -> bool:
    """Has the function another value for this name, which would be used instead?"""
    if spot.function is None:
        return False
    found = (node for node in ast.walk(spot.function) if isinstance(node, ast.Name) and node.id == name)
    stored = sum(isinstance(node.ctx, ast.Store) for node in found)
    arguments = {argument.arg for argument in ast.walk(spot.function.args) if isinstance(argument, ast.arg)}
    return stored > 1 or name in arguments


def caught(spot: Spot) -> Iterator[Edit]:
    """An error that is not handled."""
    body = spot.node.body  # type: ignore[attr-defined]
    if not isinstance(body[0], ast.Raise):
        yield Edit(spot.node, "body", None, [ast.copy_location(ast.Raise(), body[0])])


def matched(spot: Spot) -> Iterator[Edit]:
    """A match that lacks one of its cases."""
    cases = spot.node.cases  # type: ignore[attr-defined]
    for index in range(len(cases) if len(cases) > 1 else 0):
        yield Edit(spot.node, "cases", index, None)


def guarded(spot: Spot) -> Iterator[Edit]:
    """A case without its condition, or without one of its alternatives."""
    case: ast.match_case = spot.node  # type: ignore[assignment]
    if case.guard:
        yield Edit(case, "guard", None, None)
    if isinstance(case.pattern, ast.MatchOr):
        for index in range(len(case.pattern.patterns)):
            yield Edit(case.pattern, "patterns", index, None)


Operator = Callable[[Spot], Iterator[Edit]]
OPERATORS: tuple[tuple[Any, Operator], ...] = (
    (ast.Compare, compared),
    (ast.BoolOp, joined),
    (ast.UnaryOp, signed),
    (ast.If | ast.IfExp, branched),
    (ast.For | ast.While, looped),
    (ast.comprehension, filtered),
    (ast.Constant, constant),
    (ast.BinOp | ast.AugAssign, computed),
    (ast.Tuple | ast.List | ast.Set, collected),
    (ast.Dict, entered),
    (ast.Call, called),
    (ast.Return, returned),
    (ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete, done),
    (ast.Raise | ast.Continue | ast.Break, done),
    (ast.ExceptHandler, caught),
    (ast.Match, matched),
    (ast.match_case, guarded),
)
